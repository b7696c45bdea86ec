import { stringify } from 'yaml';
import { ProjectError, RequestError } from '../../contracts/errors.js';
import { PROJECT_FILE } from '../config.js';
import { loadProject } from '../load.js';
import { isReserved, NAME, showTable } from '../names.js';
import type { DbtNode, Manifest } from './manifest.js';
import { withNeeds } from './needs.js';
import { axisOf, modelFile, type BatchAxis } from './model.js';
import { rewriteSql, type Target } from './rewrite.js';

/** Something of the dbt project that is not in what was made, or not as it was. */
export interface NotCarried {
  /** dbt's own id: `model.shop.orders`. */
  readonly id: string;
  readonly reason: string;
}

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
    if (made.datasets.size === 0) {
      const [reason = 'there is no model'] = refused.values();
      throw new RequestError(
        'nothing_to_carry',
        `no model of the manifest can become a dataset: ${reason}`,
        'run `dbt compile` first',
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
        datasets: [...made.datasets.values()].sort(),
        notCarried: [...left, ...made.notes, ...othersIn(manifest)],
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
  readonly datasets: ReadonlyMap<string, string>;
  /** dbt's id by file. */
  readonly ids: ReadonlyMap<string, string>;
  readonly notes: readonly NotCarried[];
}

interface Carried {
  readonly node: DbtNode;
  readonly axis: BatchAxis | 'whole';
  readonly name: string;
}

/** One attempt; what it finds impossible it adds to `refused`, and begins anew: a reader must know what it reads. */
function convertAll(manifest: Manifest, project: string, refused: Map<string, string>): Attempt {
  for (;;) {
    const before = refused.size;
    const carried = carriedOf(manifest, refused);
    const schema = commonest([...carried.values()].map(({ node }) => node.schema));
    const files: Record<string, string> = { [PROJECT_FILE]: projectYaml(project, schema) };
    const ids = new Map<string, string>();
    const notes: NotCarried[] = [];
    for (const [id, { node, axis, name }] of carried) {
      const targetOf = targetsFor(manifest, carried, id);
      const rewritten = rewriteSql(node.compiled_code ?? '', targetOf, axis !== 'whole');
      if (typeof rewritten === 'string') {
        refused.set(id, rewritten);
        continue;
      }
      const own = { schema: node.schema, name: node.alias ?? node.name };
      const table = own.schema === schema && own.name === name ? undefined : showTable(own);
      const file = modelFile({ node, axis, rewritten, unique: uniqueOf(manifest, id), table });
      const path = `datasets/${[...folderOf(node), name].join('/')}.sql`;
      files[path] = file.text;
      ids.set(path, id);
      notes.push(...file.notes.map((reason) => ({ id, reason })));
    }
    if (refused.size === before)
      return { files, ids, notes, datasets: new Map([...carried].map(([id, { name }]) => [id, name])) };
  }
}

function carriedOf({ nodes }: Manifest, refused: Map<string, string>): Map<string, Carried> {
  const carried = new Map<string, Carried>();
  const taken = new Set<string>();
  for (const [id, node] of Object.entries(nodes)) {
    if (node.resource_type !== 'model' || refused.has(id)) continue;
    const axis = axisOf(node);
    const name = node.alias ?? node.name;
    if (axis !== 'whole' && 'refused' in axis) refused.set(id, axis.refused);
    else if (!node.compiled_code?.trim()) refused.set(id, 'the manifest has no compiled SQL of it: run `dbt compile`');
    else if (!NAME.test(name) || isReserved(name))
      refused.set(id, `${JSON.stringify(name)} cannot be a dataset's name`);
    else if (taken.has(name)) refused.set(id, `another model is called ${name} too`);
    else if (node.compiled_code.includes('_dbt_et_filter_subq_'))
      refused.set(id, 'it is compiled for one interval: compile without --event-time-start');
    else carried.set(id, { node, axis, name });
    taken.add(name);
  }
  return carried;
}

/** What the tables of a model's SQL are. */
function targetsFor(
  { nodes, sources }: Manifest,
  carried: ReadonlyMap<string, Carried>,
  reader: string,
): (name: { database?: string; schema: string; name: string }) => Target {
  const own = nodes[reader]?.database;
  const tables = new Map<string, Target>();
  for (const { database, schema, identifier, name, config } of Object.values(sources)) {
    const table = { schema, name: identifier ?? name, ...eventTime(config?.event_time) };
    const elsewhere = database !== undefined && own !== undefined && database !== own;
    const unreadable = `it reads ${showTable(table)} in the database ${database}: make an extract of that`;
    tables.set(keyOf(table), elsewhere ? { ...table, unreadable } : table);
  }
  for (const [id, { schema, alias, name, config }] of Object.entries(nodes)) {
    const table = { schema, name: alias ?? name, ...eventTime(config?.event_time) };
    const dataset = carried.get(id)?.name;
    if (id === reader)
      tables.set(keyOf(table), {
        ...table,
        unreadable: 'it reads itself (is_incremental): compile it with --full-refresh',
      });
    else tables.set(keyOf(table), dataset === undefined ? table : { ...table, dataset });
  }
  return (name) => tables.get(keyOf(name)) ?? name;
}

function keyOf({ schema, name }: { readonly schema: string; readonly name: string }): string {
  return JSON.stringify([schema, name]);
}

function eventTime(column: string | undefined): { eventTime?: string } {
  return column === undefined ? {} : { eventTime: column };
}

/** Folders as in `models/`, without the project's name and the model's own. */
function folderOf({ fqn }: DbtNode): string[] {
  return (fqn ?? []).slice(1, -1).filter((part) => /^[\w-]+$/.test(part));
}

function uniqueOf({ nodes }: Manifest, model: string): string[] {
  return Object.values(nodes).flatMap(({ attached_node, test_metadata, column_name }) =>
    attached_node === model && test_metadata?.name === 'unique' && column_name !== undefined ? [column_name] : [],
  );
}

/** Nodes that are no models; a `unique` test may have become a key, so it is no loss. */
function othersIn({ nodes }: Manifest): NotCarried[] {
  return Object.entries(nodes).flatMap(([id, { resource_type: type, test_metadata: test }]) => {
    if (type === 'model' || test?.name === 'unique') return [];
    if (type === 'test')
      return [{ id, reason: `a test (${test?.name ?? 'of its own SQL'}): keep running it with dbt` }];
    return [{ id, reason: `a ${type}: dbt goes on making its table, which is read under \`reads:\`` }];
  });
}

function commonest(names: readonly string[]): string {
  const counts = new Map<string, number>();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  return [...counts].sort(([a, n], [b, m]) => m - n || (a < b ? -1 : 1))[0]?.[0] ?? 'analytics';
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
