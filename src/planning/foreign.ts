import type { PlanWarning } from '../contracts/status.js';
import { typedIn } from '../contracts/typed.js';
import { formatInterval, type Interval } from '../core/interval/interval.js';
import { partitionsOf } from '../core/interval/runs.js';
import { normalize } from '../core/interval/set.js';
import { partitionsIn } from '../core/time/axis.js';
import type { PgClient } from '../postgres/pool.js';
import { quoteTable } from '../postgres/quote.js';
import { within, type TimeColumn } from '../postgres/time.js';
import type { Dataset, Project } from '../project/project.js';
import { sqlInstant } from '../store/ledger.js';
import { describeTarget } from '../warehouse/postgres/target.js';
import { rangeWords } from './ledger-change.js';

/** More are not looked at: each is a look into an index. */
const STRETCHES_MAX = 100;
const PARTITIONS_MAX = 10_000;
const SHOWN_MAX = 3;

/**
 * Says of which partitions the table holds rows that the ledger does not know: they would fail with `foreign_rows`. Without an index on its time a table is not looked
 * through, for planning must not read it whole.
 * @param unknown - what is to be built and is not in the ledger
 */
export async function foreignWarnings(
  client: PgClient,
  project: Project,
  dataset: Dataset,
  time: TimeColumn | null,
  unknown: readonly Interval[],
): Promise<PlanWarning[]> {
  const found = await foreignIn(client, dataset, time, unknown);
  if (found.length === 0) return [];
  const { environment } = project;
  const { name } = dataset;
  const [first] = found;
  const shown = found.slice(0, SHOWN_MAX).map(formatInterval).join(', ');
  const more = found.length > SHOWN_MAX ? ` and ${found.length - SHOWN_MAX} more` : '';
  const range = first ? rangeWords(first) : '';
  return [
    {
      dataset: name,
      code: 'foreign_rows',
      message: `its table holds rows that the ledger does not know, in ${shown}${more}: they are left alone, and building them fails. To take them into the ledger: ${typedIn(environment, `sluice adopt ${name}${range}`)}; to replace them: ${typedIn(environment, `sluice backfill ${name}${range} --overwrite`)}`,
    },
  ];
}

/** The same of one partition that is not in the ledger, for `why`; undefined where the table has no row of it, or is not looked through. */
export async function foreignText(
  client: PgClient,
  project: Project,
  dataset: Dataset,
  partition: Interval,
): Promise<string | undefined> {
  const { table, body, axis, time: column } = dataset;
  if (body.kind === 'call' || dataset.publish === 'view') return undefined;
  const { isTable, columns } = await describeTarget(client, table);
  const type = columns.find(({ name }) => name === column)?.type;
  if (!isTable || (column !== null && type === undefined)) return undefined;
  const own = body.kind === 'extract' ? { unit: body.time?.unit, timezone: body.sourceTimezone } : {};
  const timezone = own.timezone ?? axis.zone;
  const time = column === null || type === undefined ? null : { column, type, unit: own.unit, timezone };
  const [warning] = await foreignWarnings(client, project, dataset, time, [partition]);
  return warning?.message;
}

async function foreignIn(
  client: PgClient,
  dataset: Dataset,
  time: TimeColumn | null,
  unknown: readonly Interval[],
): Promise<Interval[]> {
  const stretches = unknown.slice(0, STRETCHES_MAX);
  if (stretches.length === 0) return [];
  const full = await fullOf(client, dataset, time, stretches);
  if (time === null) return full;
  const partitions = full.flatMap((one) => [...partitionsOf(partitionsIn(dataset.axis, one))]);
  return normalize(await fullOf(client, dataset, time, partitions.slice(0, PARTITIONS_MAX)));
}

/** Those of the intervals in which the table has a row. */
async function fullOf(
  client: PgClient,
  { table }: Dataset,
  time: TimeColumn | null,
  intervals: readonly Interval[],
): Promise<Interval[]> {
  if (intervals.length === 0 || (time !== null && !(await hasIndex(client, table, time.column)))) return [];
  const where = time === null ? 'true' : within(time, 'u.s', 'u.e', 'sluice_t');
  const { rows } = await client.query<{ n: number }>(
    `SELECT u.n::int AS n FROM unnest($1::timestamptz[], $2::timestamptz[]) WITH ORDINALITY AS u(s, e, n)
     WHERE EXISTS (SELECT FROM ${quoteTable(table)} AS sluice_t WHERE ${where}) ORDER BY 1`,
    [intervals.map(({ start }) => sqlInstant(start)), intervals.map(({ end }) => sqlInstant(end))],
  );
  return rows.flatMap(({ n }) => intervals[n - 1] ?? []);
}

async function hasIndex(client: PgClient, table: Dataset['table'], column: string): Promise<boolean> {
  const { rowCount } = await client.query(
    `SELECT FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
     WHERE i.indrelid = $1::regclass AND i.indisvalid AND i.indpred IS NULL AND a.attname = $2 LIMIT 1`,
    [quoteTable(table), column],
  );
  return rowCount === 1;
}
