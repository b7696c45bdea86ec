import { RequestError } from '../contracts/errors.js';
import type { ColumnSpec, EarlierTime, RowTime, StoredDataset } from '../contracts/plan.js';
import type { PlanWarning } from '../contracts/status.js';
import type { PgClient, Pool } from '../postgres/pool.js';
import { quoteIdent, quoteTable } from '../postgres/quote.js';
import type { Dataset, ExtractBody } from '../project/project.js';
import { describeSources, type SourceColumn } from '../source/postgres/describe.js';
import { rowTime, shapeName, type KnownShape, type Shape } from '../store/shapes.js';
import type { TargetState } from '../warehouse/postgres/target.js';
import { timeColumnOf } from './adopt-judge.js';
import type { PlanningDeps } from './deps.js';
import type { Described } from './described.js';
import { extractOf } from './describe-extract.js';
import { asHeld } from './held-types.js';
import { openScratch } from './scratch.js';

/** Shapes by dataset, as `shapesInUse` of the store reads them. */
export type ShapesOf = ReadonlyMap<string, readonly KnownShape[]>;

/**
 * The shapes of extracts that lack a column, by name and type, which their source has by now: partitions with them are stale. A column that
 * the source has no more stales nothing, for building again would only take its values away.
 *
 * A source that does not answer tells nothing here; whoever builds from it hears of that.
 */
export async function lackingShapes(
  { project, pool }: Pick<PlanningDeps, 'project' | 'pool'>,
  shapes: ShapesOf,
): Promise<ReadonlyMap<string, readonly string[]>> {
  const asked = [...project.datasets.values()].flatMap(({ name, body }) =>
    body.kind === 'extract' && (shapes.get(name) ?? []).length > 0 ? [{ name, body }] : [],
  );
  if (asked.length === 0) return new Map();
  const connections = [...new Set(asked.map(({ body }) => body.from))];
  const told = await Promise.all(
    connections.map((connection) =>
      columnsOf(
        pool(connection),
        asked.filter(({ body }) => body.from === connection),
      ).catch(() => []),
    ),
  );
  const found = told.flat();
  if (found.length === 0) return new Map();
  return pool(project.warehouse).use(async (client) => {
    await client.query('BEGIN');
    try {
      const scratch = openScratch(client);
      const lacking = new Map<string, readonly string[]>();
      for (const [name, columns] of found) {
        const held = await asHeld(scratch, columns);
        const without = (shapes.get(name) ?? []).filter((one) => lacks(one, held));
        lacking.set(
          name,
          without.map(({ shape }) => shape),
        );
      }
      return lacking;
    } finally {
      await client.query('ROLLBACK');
    }
  });
}

/** A source that says nothing for so long is not waited for: nothing of it may have to be built. */
const SILENCE_MS = 5_000;

async function columnsOf(
  pool: Pool,
  asked: readonly { readonly name: string; readonly body: ExtractBody }[],
): Promise<(readonly [name: string, columns: readonly SourceColumn[]])[]> {
  const client = await soon(pool.acquire(), (late) => {
    late.release();
  });
  let broken = true;
  try {
    // Somebody may be altering what a query reads, and others wait for what plans.
    await soon(client.query(`SET lock_timeout = '1s'`));
    const specs = asked.map(({ body }) => extractOf(body));
    const columns = await describeSources(client, specs, soon);
    await soon(client.query('RESET lock_timeout'));
    broken = false;
    return asked.flatMap(({ name }, i) => {
      const own = columns[i];
      return own ? [[name, own] as const] : [];
    });
  } finally {
    client.release(broken);
  }
}

/** An answer, unless it is long in coming; one that comes all the same goes to `late`. */
async function soon<T>(answer: Promise<T>, late: (answer: T) => void = () => undefined): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  let waits = true;
  const silence = new Promise<never>((_, fail) => {
    timer = setTimeout(() => {
      waits = false;
      fail(new Error(`no answer within ${SILENCE_MS} ms`));
    }, SILENCE_MS);
  });
  answer.then(
    (one) => {
      if (!waits) late(one);
    },
    () => undefined,
  );
  try {
    return await Promise.race([answer, silence]);
  } finally {
    clearTimeout(timer);
  }
}

function lacks({ columns }: Shape, now: readonly ColumnSpec[]): boolean {
  return now.some(({ name, type }) => !columns.some((one) => one.name === name && one.type === type));
}

/** The shape of what is built of a dataset; undefined for a call, which has no table. */
export function shapeOf(dataset: Dataset, described: Described): Shape | undefined {
  if (described.spec.kind === 'call') return undefined;
  return { columns: described.columns, time: rowTime(timeColumnOf(dataset, described)) };
}

/** The part of a stored dataset by which its rows are known again, whatever they were written by. */
export function shapeParts(
  dataset: Dataset,
  described: Described,
  known: readonly KnownShape[],
): Pick<StoredDataset, 'shape' | 'earlier'> {
  const shape = shapeOf(dataset, described);
  if (!shape) return {};
  const earlier = earlierTimes(shape, known, described.table?.columns ?? []);
  return { shape: shapeName(shape), ...(earlier.length === 0 ? {} : { earlier }) };
}

/** Times that told the partition of rows which are still in the table, each once. One whose column is gone, or of another type, tells nothing any more. */
function earlierTimes(now: Shape, known: readonly KnownShape[], table: readonly ColumnSpec[]): EarlierTime[] {
  const found = new Map<string, EarlierTime>();
  for (const { shape, time } of known) {
    if (time === null || now.time === null || sameTime(time, now.time)) continue;
    if (!table.some(({ name, type }) => name === time.column && type === time.type)) continue;
    const key = JSON.stringify([time.column, time.unit ?? null, time.timezone]);
    found.set(key, { time, shapes: [...(found.get(key)?.shapes ?? []), shape] });
  }
  return [...found.values()];
}

export function sameTime(a: RowTime, b: RowTime): boolean {
  return a.column === b.column && a.type === b.type && a.unit === b.unit && a.timezone === b.timezone;
}

/**
 * Refuses a table of which somebody took the column that told its rows' partitions: no rebuild would find them, and they would stay
 * beside what is built.
 * @throws RequestError rows_without_time
 */
export async function requireRowTimes(
  client: PgClient,
  { file, table, name, time }: Dataset,
  { columns }: TargetState,
  known: readonly KnownShape[],
): Promise<void> {
  const gone = known.find(({ time: was }) => was && !columns.some((column) => column.name === was.column))?.time;
  if (!gone || time === null || !columns.some((column) => column.name === time)) return;
  const target = quoteTable(table);
  const { rowCount } = await client.query(`SELECT 1 FROM ${target} WHERE ${quoteIdent(time)} IS NULL LIMIT 1`);
  if (rowCount === 0) return;
  throw new RequestError(
    'rows_without_time',
    `${file}: rows of table ${target} have no ${quoteIdent(time)}, and the column that told their partitions, ${quoteIdent(gone.column)}, is gone`,
    `give them a time: UPDATE ${target} SET ${quoteIdent(time)} = …; or name another table (\`table: ${table.schema}.${name}_2\`), which is built beside this one`,
  );
}

/** Columns that no partition has any more: a person may drop them. */
export function unusedColumns(dataset: Dataset, described: Described, known: readonly KnownShape[]): PlanWarning[] {
  const { table, columns } = described;
  if (!table?.owner?.made || known.length === 0) return [];
  const used = new Set([...columns, ...known.flatMap((one) => one.columns)].map(({ name }) => name));
  return table.columns
    .filter(({ name }) => !used.has(name))
    .map(({ name }) => ({
      dataset: dataset.name,
      code: 'column_unused',
      message: `no partition has column ${quoteIdent(name)} any more: when nobody reads it, drop it: ALTER TABLE ${quoteTable(dataset.table)} DROP COLUMN ${quoteIdent(name)}`,
    }));
}
