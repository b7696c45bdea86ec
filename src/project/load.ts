import type { TableName } from '../contracts/table.js';
import { ProjectError } from '../contracts/errors.js';
import type { Problem } from '../contracts/errors.js';
import { PROJECT_FILE, readConfig } from './config.js';
import type { Config } from './config.js';
import { readSet, SET_FILE } from './set-flags.js';
import { orderDatasets } from './cycles.js';
import type { Resolved } from './cycles.js';
import { finishDataset } from './finish.js';
import { readDataset, type DatasetRead } from './dataset.js';
import { definitionOf } from './definition.js';
import type { DatasetFile, Draft } from './draft.js';
import { datasetFiles } from './layout.js';
import { lookupOf, needsOf, resolveTables } from './lineage.js';
import type { Catalog } from './lineage.js';
import { judgeReads } from './reads/said.js';
import { parseTableName, showTable } from './names.js';
import type { Dataset, Project } from './project.js';
import type { Env } from './template.js';
import { problemAt } from './text.js';
import { takeTurns } from './turns.js';

export interface LoadOptions {
  readonly environment: string;
  readonly env: Env;
  /** The files come from the store: connections have no `url`, and get ''. */
  readonly registered?: boolean;
  /** It was accepted once: what was checked later than that is not checked, so that a backfill ends as it began. */
  readonly accepted?: boolean;
}

/**
 * Reads and checks a project, without a database; a thousand datasets take seconds, in which others of the process have their turns.
 *
 * @param files by path, as `readProjectFiles` gives them or as they were registered.
 * @throws ProjectError with every problem there is, sorted by file and line.
 */
export async function loadProject(files: Readonly<Record<string, string>>, options: LoadOptions): Promise<Project> {
  const { config, problems: configProblems } = readConfig(files[PROJECT_FILE], {
    registered: false,
    ...options,
    set: readSet(files[SET_FILE]),
  });
  const found = datasetFiles(files);
  const turn = takeTurns();
  const reads: DatasetRead[] = [];
  for (const file of found.files) {
    reads.push(readDataset(file, config));
    await turn();
  }
  const drafts = reads.flatMap(({ draft }) => (draft ? [draft] : []));
  const calls = new Set(drafts.filter(({ kind }) => kind === 'call').map(({ name }) => name));
  const lookup = lookupOf(catalogOf(found.files, drafts, config), calls, config);
  const resolved = new Map<string, Resolved>();
  for (const draft of drafts) {
    const statement = resolveTables(draft, lookup);
    resolved.set(draft.name, { draft, statement, needs: needsOf(draft, statement, lookup) });
    await turn();
  }
  const { order, problems: cycles } = orderDatasets(resolved);
  const problems = [
    configProblems,
    found.problems,
    ...reads.map((read) => read.problems),
    sharedTables(drafts, lookup.catalog),
    cycles,
  ].flat();
  if (problems.length > 0) throw new ProjectError(sorted(problems));
  const said = await judgeReads(order, resolved, turn);
  if (said.problems.length > 0 && options.accepted !== true) throw new ProjectError(sorted(said.problems));

  const datasets = new Map<string, Dataset>();
  for (const name of order) {
    const { draft, statement, needs: read = [] } = resolved.get(name) ?? {};
    const needs = said.needs.get(name) ?? read;
    const table = lookup.catalog.get(name);
    if (draft && table) datasets.set(name, finishDataset(draft, statement, needs, table, said.unbounded.get(name)));
    await turn();
  }
  return projectOf(config, options.environment, datasets, relevant(files, found.files));
}

function projectOf(
  config: Config,
  environment: string,
  datasets: Map<string, Dataset>,
  files: Readonly<Record<string, string>>,
): Project {
  return {
    name: config.name,
    environment,
    timezone: config.timezone,
    connections: config.connections ?? new Map(),
    warehouse: config.warehouse,
    schema: config.schema,
    protected: config.protected,
    flags: config.flags,
    pools: config.pools,
    confirm: config.confirm,
    ...(config.defer === undefined ? {} : { defer: config.defer }),
    datasets,
    ...definitionOf(files, config.written),
  };
}

function relevant(files: Readonly<Record<string, string>>, datasets: readonly DatasetFile[]): Record<string, string> {
  return Object.fromEntries([
    [PROJECT_FILE, files[PROJECT_FILE] ?? ''],
    ...(files[SET_FILE] === undefined ? [] : [[SET_FILE, files[SET_FILE]] as [string, string]]),
    ...datasets.map(({ file, text }): [string, string] => [file, text]),
  ]);
}

/** Each dataset's table; a file that can't be read still has its name, so that its readers are not blamed. */
function catalogOf(files: readonly DatasetFile[], drafts: readonly Draft[], { schema }: Config): Catalog {
  const tables = new Map<string, TableName>(files.map(({ name }) => [name, { schema, name }]));
  for (const { name, own } of drafts) {
    const table = own.table === undefined ? undefined : parseTableName(own.table, schema);
    if (table) tables.set(name, table);
  }
  return tables;
}

function sharedTables(drafts: readonly Draft[], catalog: Catalog): Problem[] {
  const owners = new Map<string, Draft>();
  return drafts.flatMap((draft) => {
    const table = catalog.get(draft.name);
    if (!table || draft.kind === 'call') return [];
    const shown = showTable(table);
    const owner = owners.get(shown);
    owners.set(shown, owner ?? draft);
    if (!owner) return [];
    const message = `the table ${shown} is also that of ${owner.name} (${owner.file})`;
    return [
      problemAt(draft.file, draft.source?.placeOf(['table']), {
        code: 'table_taken',
        message,
        remedy: 'give one of them another table:',
      }),
    ];
  });
}

function sorted(problems: readonly Problem[]): Problem[] {
  const key = ({ line = 0, column = 0 }: Problem): number => line * 1e6 + column;
  return [...problems].sort((a, b) =>
    a.file === b.file
      ? key(a) - key(b)
      : a.file === PROJECT_FILE
        ? -1
        : b.file === PROJECT_FILE
          ? 1
          : a.file < b.file
            ? -1
            : 1,
  );
}
