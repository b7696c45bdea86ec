import { createHash } from 'node:crypto';
import type { ColumnSpec, RowTime } from '../contracts/plan.js';
import { isZoneless, type TimeColumn } from '../postgres/time.js';
import type { KeyOf } from './stale.js';
import { keysOf, rowsOf, type Db, type Scope } from './store.js';

/** What a dataset's partitions look like in its table: the columns they were built with, and the time that tells a row's partition. */
export interface Shape {
  readonly columns: readonly ColumnSpec[];
  /** Null for `grain: none`. */
  readonly time: RowTime | null;
}

/** A shape by its name in the ledger. */
export interface KnownShape extends Shape {
  readonly shape: string;
}

/** A time as a shape has it: a zone counts only where the column has none of its own. */
export function rowTime(time: TimeColumn | null): RowTime | null {
  if (time === null) return null;
  const { column, type, unit, timezone } = time;
  const zone = unit === undefined && isZoneless(type) ? timezone : 'UTC';
  return { column, type, ...(unit === undefined ? {} : { unit }), timezone: zone };
}

/** The name of a shape: 16 hex digits over its columns in their order, and its time. Two columns that swap their names make another one. */
export function shapeName({ columns, time }: Shape): string {
  const content = [
    columns.map(({ name, type }) => [name, type]),
    time === null ? null : [time.column, time.type, time.unit ?? null, time.timezone],
  ];
  return createHash('sha256').update(JSON.stringify(content)).digest('hex').slice(0, 16);
}

/** Keeps a shape before the first partition has it. */
export async function keepShape(db: Db, scope: Scope, dataset: string, shape: Shape): Promise<void> {
  await db('sluice.shapes')
    .insert({
      ...keysOf(scope),
      dataset,
      shape: shapeName(shape),
      columns: JSON.stringify(shape.columns),
      time: shape.time === null ? null : JSON.stringify(shape.time),
    })
    .onConflict()
    .ignore();
}

/** The shapes that partitions in the ledger have, by dataset. Mostly a dataset has had one, which needs no look at its partitions. */
export async function shapesInUse(
  db: Db,
  keyOf: KeyOf,
  datasets: readonly string[],
): Promise<ReadonlyMap<string, readonly KnownShape[]>> {
  const keys = datasets.map((name) => ({ name, ...keyOf(name) }));
  const rows = await rowsOf<KnownShape & { dataset: string }>(
    db,
    `SELECT s.dataset, s.shape, s.columns, s.time FROM (
       SELECT k.key, s.*, count(*) OVER (PARTITION BY s.dataset) AS shapes
       FROM unnest(?::text[], ?::text[], ?::text[], ?::text[]) AS k(project, environment, dataset, key)
       JOIN sluice.shapes s USING (project, environment, dataset)) s
     WHERE s.shapes = 1 OR EXISTS (SELECT FROM sluice.partitions p
       WHERE p.project = s.project AND p.environment = s.environment AND p.dataset = s.key AND p.shape = s.shape)
     ORDER BY 1, 2`,
    [
      keys.map(({ project }) => project),
      keys.map(({ environment }) => environment),
      keys.map(({ name }) => name),
      keys.map(({ key }) => key),
    ],
  );
  const found = new Map<string, KnownShape[]>();
  for (const { dataset, ...shape } of rows) found.set(dataset, [...(found.get(dataset) ?? []), shape]);
  return found;
}
