import { stringify } from 'yaml';
import { ProjectError, RequestError } from '../../contracts/errors.js';
import { PROJECT_FILE } from '../config.js';
import { loadProject } from '../load.js';
import { chooseModels } from './choose.js';
import type { DbtNode, Manifest } from './manifest.js';
import { modelFile, type UniqueTest } from './model.js';
import { columnOf, tableSetting } from './names.js';
import { withNeeds } from './needs.js';
import { othersIn, type NotCarried } from './others.js';
import { rewriteSql } from './rewrite.js';
import { limitsFor, targetsFor } from './targets.js';

/** A sluice project, made of a dbt project. */
export interface Converted {
  readonly files: Readonly<Record<string, string>>;
  readonly datasets: readonly string[];
  readonly notCarried: readonly NotCarried[];
}

/**
 * Makes datasets of dbt's compiled models. A model that cannot be one stays dbt's: its table is then one outside the project, and the
 * reason is listed. What comes out passes `validate`.
 * @throws RequestError nothing_to_carry
 */
export async function convertDbt(manifest: Manifest, project: string): Promise<Converted> {
  const refused = new Map<string, string>();
  for (;;) {
    const made = await sayNeeds(convertAll(manifest, project, refused));
    if (made.datasets.length === 0) {
      const reasons = [...refused].map(([id, reason]) => `\n- ${id}: ${reason}`);
      throw new RequestError(
        'nothing_to_carry',
        `no model of the manifest can become a dataset${reasons.length === 0 ? ': there is none' : reasons.join('')}`,
        'mend one of them in dbt, and run `dbt compile` again',
      );
    }
    const problems = await problemsOf(made.files);
    const before = refused.size;
    for (const { file, message } of problems) {
      const id = made.ids.get(file);
      if (id !== undefined && !refused.has(id)) refused.set(id, message);
    }
    if (problems.length === 0) {
      const left = [...refused].map(([id, reason]) => ({ id, reason }));
      return {
        files: made.files,
        datasets: made.datasets,
        notCarried: [...left, ...made.notes, ...othersIn(manifest, made.kept)],
      };
    }
    if (refused.size === before) throw new ProjectError(problems);
  }
}

/** What a model reads beyond its batch dbt does not ask; here its settings must say it. */
async function sayNeeds(made: Attempt): Promise<Attempt> {
  const said = withNeeds(made.files, await problemsOf(made.files));
  if (said.size === 0) return made;
  const texts = Object.fromEntries([...said].map(([file, { text }]): [string, string] => [file, text]));
  const notes = [...said].flatMap(([file, { line }]) => {
    const id = made.ids.get(file);
    return id === undefined
      ? []
      : [{ id, reason: `its SQL reads beyond its batch, or that is not seen: ${line} was written` }];
  });
  return { ...made, files: { ...made.files, ...texts }, notes: [...made.notes, ...notes] };
}

async function problemsOf(files: Readonly<Record<string, string>>): Promise<ProjectError['problems']> {
  try {
    await loadProject(files, { environment: 'default', env: {} });
    return [];
  } catch (error) {
    if (error instanceof ProjectError) return error.problems;
    throw error;
  }
}

interface Attempt {
  readonly files: Readonly<Record<string, string>>;
  readonly datasets: readonly string[];
  /** dbt's id by file. */
  readonly ids: ReadonlyMap<string, string>;
  readonly notes: readonly NotCarried[];
  /** Tests that have become keys. */
  readonly kept: ReadonlySet<string>;
}

/** One attempt; what it finds impossible it adds to `refused`, and begins anew: a reader must know what it reads. */
function convertAll(manifest: Manifest, project: string, refused: Map<string, string>): Attempt {
  for (;;) {
    const before = refused.size;
    const chosen = chooseModels(manifest, refused);
    const { carried, names, schema } = chosen;
    const files: Record<string, string> = { [PROJECT_FILE]: projectYaml(project, schema) };
    const ids = new Map<string, string>();
    const kept = new Set<string>();
    const notes: NotCarried[] = [];
    for (const [id, { node, axis, table, notes: own }] of carried) {
      const dataset = names.get(id) ?? node.name;
      const targetOf = targetsFor(manifest, chosen, id);
      const limits = axis === 'whole' ? {} : { limits: limitsFor(manifest, node) };
      const rewritten = rewriteSql(node.compiled_code ?? '', { schema, targetOf, ...limits });
      if (typeof rewritten === 'string') {
        refused.set(id, rewritten);
        continue;
      }
      const partitioned = [...carried].flatMap(([one, other]) => (other.axis === 'whole' ? [] : [names.get(one)]));
      const wholeOf = rewritten.unlimited.filter((name) => partitioned.includes(name));
      const setting = tableSetting(table, dataset, schema);
      const file = modelFile({
        node,
        axis,
        dataset,
        rewritten,
        unique: uniqueOf(manifest, id),
        table: setting,
        wholeOf,
      });
      const path = `datasets/${[...folderOf(node), dataset].join('/')}.sql`;
      files[path] = file.text;
      ids.set(path, id);
      if (file.kept !== undefined) kept.add(file.kept);
      notes.push(...[...own, ...file.notes].map((reason) => ({ id, reason })));
    }
    if (refused.size === before) return { files, ids, notes, kept, datasets: [...names.values()].sort() };
  }
}

/** Folders as in `models/`, without the project's name and the model's own. */
function folderOf({ fqn }: DbtNode): string[] {
  return (fqn ?? []).slice(1, -1).filter((part) => /^[\w-]+$/.test(part));
}

/** Tests that say a column is unique in the whole table, or it is an error. */
function uniqueOf({ nodes }: Manifest, model: string): UniqueTest[] {
  return Object.entries(nodes).flatMap(([id, { attached_node, test_metadata: test, column_name, config }]) => {
    if (attached_node !== model || test?.name !== 'unique') return [];
    const { where, severity = 'error', error_if = '!= 0' } = config ?? {};
    if (where !== undefined || severity.toLowerCase() !== 'error' || error_if !== '!= 0') return [];
    const written = test.kwargs?.['column_name'] ?? column_name;
    const column = typeof written === 'string' ? columnOf(written) : undefined;
    return column === undefined ? [] : [{ id, column }];
  });
}

function projectYaml(project: string, schema: string): string {
  return stringify({
    project,
    timezone: 'UTC',
    connections: { warehouse: { type: 'postgres', url: '${WAREHOUSE_URL}', budget: { slots: 4 } } },
    warehouse: 'warehouse',
    schema,
  });
}
