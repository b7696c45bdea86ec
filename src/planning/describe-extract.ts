import { RequestError } from '../contracts/errors.js';
import type { ExtractSpec } from '../contracts/plan.js';
import type { PlanWarning } from '../contracts/status.js';
import { errorFacts, faultOf, systemError } from '../postgres/error.js';
import { withRetries, type PgClient } from '../postgres/pool.js';
import { quoteIdent } from '../postgres/quote.js';
import { canBeTime, isBeyond, isZoneless } from '../postgres/time.js';
import type { TableName } from '../contracts/table.js';
import { showTable } from '../project/names.js';
import type { Dataset, ExtractBody, Project } from '../project/project.js';
import { relationsUnder } from './reads.js';
import { describeSource, movesInBinary, type SourceColumn } from '../source/postgres/describe.js';
import { relationSql } from '../source/postgres/extract.js';
import type { PlanningDeps } from './deps.js';
import type { Statement } from './described.js';
import { requireSafeNames } from './functions.js';
import { asHeld } from './held-types.js';
import { scanOf, type Reads } from './scan.js';
import type { Scratch } from './scratch.js';

/** Counting rows of no partition reads an index where there is one; without one it is given this long. */
const LOST_COUNT_TIMEOUT = '2s';

/** Of somebody who alters a table of the source. */
const LOCK_TIMEOUT = '1s';

/** A source that is starting is there within seconds; planning waits no longer. */
const CONNECT_TRIES = 4;

export async function describeExtract(
  deps: PlanningDeps,
  scratch: Scratch,
  dataset: Dataset,
  body: ExtractBody,
  reads: Reads | undefined,
): Promise<Statement & { readonly spec: ExtractSpec }> {
  const base = extractOf(body);
  const pool = deps.pool(body.from);
  const describe = async (client: PgClient): Promise<Statement & { readonly spec: ExtractSpec }> => {
    // A backfill plans under its project's lock, for which others wait.
    await client.query(`SET lock_timeout = '${LOCK_TIMEOUT}'`);
    const columns = await asHeld(scratch, await describeSource(client, base));
    await requireNotOurs(client, deps.project, dataset, body);
    if (body.query) await requireSafeNames(client, dataset, body.query.functions);
    const time = timeOf(dataset, body, columns);
    const spec: ExtractSpec = {
      ...base,
      ...(time === undefined ? {} : { time }),
      columns: columns.map(({ name, type, cast }) => ({
        name,
        type,
        binary: movesInBinary(type),
        ...(cast ? { cast: type } : {}),
      })),
    };
    const { scan, warnings } = await scanOf(client, dataset, spec, reads);
    const lost = await lostTimes(client, dataset, spec);
    await client.query('RESET lock_timeout');
    return {
      spec: { ...spec, ...(scan === 'once' ? { scan } : {}) },
      columns: columns.map(({ name, type }) => ({ name, type })),
      time: time === undefined ? null : { column: time.column, type: time.type },
      warnings: [...lost, ...warnings],
    };
  };
  return withRetries(
    () =>
      pool.use((client) =>
        describe(client).catch((error: unknown) => {
          throw sourceError(error, dataset, body);
        }),
      ),
    CONNECT_TRIES,
    (ms) => new Promise((done) => setTimeout(done, ms)),
  ).catch((error: unknown) => {
    throw systemError(error, body.from);
  });
}

/**
 * Refuses to extract a dataset of this very project, out of the warehouse or a replica of it: an extract waits for no dataset, and is not stale by one.
 * @throws RequestError reads_dataset
 */
async function requireNotOurs(
  client: PgClient,
  project: Project,
  { file }: Dataset,
  { from, table, query }: ExtractBody,
): Promise<void> {
  const { rows } = await client.query<{ may: boolean }>(
    `SELECT has_table_privilege(c.oid, 'SELECT') AS may FROM pg_class c WHERE c.oid = to_regclass('sluice.tables')`,
  );
  if (rows[0] === undefined) return;
  const read = table ? [table] : (query?.relations ?? []).map(({ schema = 'public', name }) => ({ schema, name }));
  const found = (await relationsUnder(client, read, project)).filter(({ dataset }) => dataset !== undefined);
  const isOurs = async ({ schema, name }: TableName): Promise<boolean> => {
    // Whoever may not read the ledger there is told by the names alone.
    if (rows[0]?.may !== true) return true;
    const { rowCount } = await client.query(
      `SELECT FROM sluice.tables WHERE project = $1 AND environment = $2 AND schema_name = $3 AND table_name = $4`,
      [project.name, project.environment, schema, name],
    );
    return rowCount === 1;
  };
  for (const one of found) {
    if (!(await isOurs(one))) continue;
    throw new RequestError(
      'reads_dataset',
      `${file}: ${showTable(one)} on connection ${from} is the table of dataset ${one.dataset ?? ''}: an extract does not wait for it, and is not stale by it`,
      `write a transform, in a .sql file: SELECT … FROM ${one.dataset ?? ''} WHERE …`,
    );
  }
}

/** How rows of an extract are read, before its columns are known. */
export function extractOf({ from, table, query }: ExtractBody): ExtractSpec {
  return {
    kind: 'extract',
    connection: from,
    ...(table ? { table } : { query: (query?.text ?? '').trim() }),
    params: (query?.params ?? []).map((param) => ({ ...param })),
    columns: [],
  };
}

function timeOf(dataset: Dataset, body: ExtractBody, columns: readonly SourceColumn[]): ExtractSpec['time'] {
  if (!body.time) return undefined;
  const { column, unit } = body.time;
  const type = columns.find(({ name }) => name === column)?.type;
  if (type === undefined) return { column, type: 'unknown' };
  if (!canBeTime(type, unit)) {
    throw new RequestError(
      'time_type',
      `${dataset.file}: column ${JSON.stringify(column)} is ${type}, which cannot be a time`,
      'name a column of type timestamptz, timestamp or date; for epochs write `time: { column: …, unit: s | ms | us | ns }`',
    );
  }
  if (isZoneless(type) && body.sourceTimezone === undefined) {
    throw new RequestError(
      'source_timezone_missing',
      `${dataset.file}: column ${JSON.stringify(column)} is ${type}: it has no zone of its own`,
      'say in which zone it was written: `source_timezone: America/New_York` under `extract:`',
    );
  }
  const timezone = isZoneless(type) ? body.sourceTimezone : undefined;
  return { column, type, ...(unit === undefined ? {} : { unit }), ...(timezone === undefined ? {} : { timezone }) };
}

/**
 * Rows without an event time, or with one that no range reaches, are in no partition: never dropped in silence. A query that takes `:start`
 * and `:end` says itself what belongs to an interval, and can't be asked about all of time (`generate_series` would never end).
 */
async function lostTimes(client: PgClient, dataset: Dataset, spec: ExtractSpec): Promise<PlanWarning[]> {
  const { time } = spec;
  if (!time || time.type === 'unknown' || spec.params.length > 0) return [];
  const relation = relationSql(spec, { start: '-infinity', end: 'infinity' });
  const column = `sluice_s.${quoteIdent(time.column)}`;
  const warning = (code: string, message: string, rows?: number): PlanWarning[] =>
    rows === 0 ? [] : [{ dataset: dataset.name, code, ...(rows === undefined ? {} : { rows }), message }];
  await client.query('BEGIN READ ONLY');
  try {
    await client.query(`SET LOCAL statement_timeout = '${LOST_COUNT_TIMEOUT}'`);
    const { rows } = await client.query<{ absent: number; beyond: number }>(
      `SELECT count(*) FILTER (WHERE ${column} IS NULL)::float8 AS absent, count(${column})::float8 AS beyond
       FROM ${relation} AS sluice_s WHERE ${column} IS NULL OR ${isBeyond(time, 'sluice_s')}`,
    );
    const { absent = 0, beyond = 0 } = rows[0] ?? {};
    return [
      ...warning(
        'null_event_time',
        `${absent} rows have no "${time.column}": they belong to no partition and are not extracted`,
        absent,
      ),
      ...warning(
        'unreachable_event_time',
        `${beyond} rows have a "${time.column}" that no partition reaches, such as infinity: they are not extracted`,
        beyond,
      ),
    ];
  } catch (error) {
    if (errorFacts(error).sqlstate !== '57014') throw error;
    return warning(
      'null_event_time',
      `rows without "${time.column}", or with one that no partition reaches, were not counted within ${LOST_COUNT_TIMEOUT}; an index on it would help`,
    );
  } finally {
    await client.query('ROLLBACK');
  }
}

/** Those that end by themselves, or whose cause is elsewhere: rolled back, out of resources, stopped by an operator. */
const PASSING = /^(?:40|53|57)|^55P03/;

/** What a source that answers says of a statement is the dataset's problem: what it cannot plan now it could not read either. */
function sourceError(error: unknown, dataset: Dataset, body: ExtractBody): unknown {
  const { sqlstate, severity, message } = errorFacts(error);
  if (sqlstate === undefined || severity !== 'ERROR' || PASSING.test(sqlstate)) return error;
  const what = body.table ? `table ${body.table.schema}.${body.table.name}` : 'its query';
  const { code: fault } = faultOf(error, 'source');
  const code = AS_THEY_ARE.has(fault) ? fault : 'source_query';
  return new RequestError(
    code,
    `${dataset.file}: ${what} on connection ${body.from}: ${message}`,
    REMEDIES[code] ?? 'correct it, the connection under `from:`, or what the message names',
    { cause: error },
  );
}

const AS_THEY_ARE: ReadonlySet<string> = new Set([
  'missing_table',
  'missing_column',
  'no_permission',
  'object_not_ready',
  'row_security',
]);

const REMEDIES: Readonly<Record<string, string>> = {
  missing_table: 'correct the name, or the connection under `from:`',
  missing_column: 'correct the name, or the connection under `from:`',
  no_permission: 'GRANT it to the role of the connection: SELECT on what is read, USAGE on its schema',
  object_not_ready: 'make it readable first: a materialized view by REFRESH MATERIALIZED VIEW',
  row_security:
    'sluice reads all rows of a table or none: ALTER ROLE … BYPASSRLS for the role of the connection; for some of the rows write their condition in a `query:`',
};
