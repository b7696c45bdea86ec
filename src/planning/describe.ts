import { RequestError } from '../contracts/errors.js';
import type { ColumnSpec } from '../contracts/plan.js';
import { formatInstant, type Interval } from '../core/interval/interval.js';
import { errorFacts, isRefusedStatement, systemError } from '../postgres/error.js';
import type { PgClient } from '../postgres/pool.js';
import { quoteTable } from '../postgres/quote.js';
import type { CallBody, Dataset } from '../project/project.js';
import { describeTarget } from '../warehouse/postgres/target.js';
import type { PlanningDeps } from './deps.js';
import type { Described } from './described.js';
import { describeExtract } from './describe-extract.js';
import { describeTransform } from './describe-transform.js';
import { targetDdl } from './ddl.js';

export interface DescribeOptions {
  readonly overwrite: boolean;
  /** Interval that a `grain: none` transform reads. */
  readonly windows: ReadonlyMap<string, Interval>;
}

/**
 * Prepares every statement of `datasets` and looks up every table and column that it will use.
 *
 * A transform may read a table that this very plan makes. So all of it happens in one transaction of the warehouse, in topological
 * order, which makes the tables that are missing and is rolled back: planning changes nothing, and what it prepared was the real thing.
 */
export async function describeDatasets(
  deps: PlanningDeps,
  datasets: readonly Dataset[],
  options: DescribeOptions,
): Promise<ReadonlyMap<string, Described>> {
  const described = new Map<string, Described>();
  if (datasets.length === 0) return described;
  const { project, pool } = deps;
  await pool(project.warehouse)
    .use(async (client) => {
      await client.query('BEGIN');
      try {
        await client.query(`SET LOCAL lock_timeout = '5s'`);
        for (const dataset of datasets) described.set(dataset.name, await describeOne(deps, client, dataset, options));
      } finally {
        await client.query('ROLLBACK');
      }
    })
    .catch((error: unknown) => {
      throw systemError(error, project.warehouse);
    });
  return described;
}

/** One of {@link describeDatasets}, in a transaction that its caller rolls back. */
export async function describeOne(
  deps: PlanningDeps,
  client: PgClient,
  dataset: Dataset,
  options: DescribeOptions,
): Promise<Described> {
  const { body } = dataset;
  if (body.kind === 'call') return describeCall(body, options.windows.get(dataset.name));
  const found =
    body.kind === 'extract'
      ? await describeExtract(deps, dataset, body)
      : await describeTransform(deps, client, dataset, body, options.windows.get(dataset.name));
  requireColumns(dataset, found.columns);
  const state = await describeTarget(client, dataset.table);
  const ddl = targetDdl(deps.project, dataset, found.columns, state, options.overwrite);
  for (const statement of ddl) {
    await client.query(statement).catch((error: unknown) => {
      throw tableError(error, dataset);
    });
  }
  return { ...found, ddl };
}

/** A call has no statement and no table; whether its worker is there is seen as it begins. */
function describeCall(body: CallBody, window: Interval | undefined): Described {
  const asked =
    window === undefined ? {} : { window: { start: formatInstant(window.start), end: formatInstant(window.end) } };
  return { spec: { ...body, ...asked }, columns: [], time: null, ddl: [], warnings: [] };
}

/** Columns of one name, of a type that no table can hold, a key that cannot be indexed: found by making the table. */
function tableError(error: unknown, { file, table }: Dataset): unknown {
  const { sqlstate, message } = errorFacts(error);
  if (!isRefusedStatement(sqlstate)) return error;
  return new RequestError(
    'table_refused',
    `${file}: table ${quoteTable(table)} cannot be made: ${message}`,
    'name each column once, and cast what a table cannot hold',
    { cause: error },
  );
}

function requireColumns(dataset: Dataset, columns: readonly ColumnSpec[]): void {
  const names = new Set(columns.map(({ name }) => name));
  const missing = [
    ...(dataset.time === null ? [] : [['time', dataset.time] as const]),
    ...dataset.key.map((name) => ['key', name] as const),
  ].find(([, name]) => !names.has(name));
  if (!missing) return;
  const [role, name] = missing;
  throw new RequestError(
    `missing_${role}_column`,
    `${dataset.file}: ${role} column ${JSON.stringify(name)} is not among the columns: ${[...names].join(', ')}`,
    `name one of them under \`${role}:\`, or select it`,
  );
}
