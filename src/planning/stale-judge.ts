import { RequestError } from '../contracts/errors.js';
import { typedIn } from '../contracts/typed.js';
import { plural } from '../core/words.js';
import { quoteIdent, quoteTable } from '../postgres/quote.js';
import type { Dataset } from '../project/project.js';
import { keysOfVersions } from '../store/dataset-versions.js';
import { sqlInstant } from '../store/ledger.js';
import { shapeName, type KnownShape, type Shape } from '../store/shapes.js';
import { rowsOf, type Db, type Scope } from '../store/store.js';
import { escaped } from './adopt-judge.js';
import type { Described } from './described.js';
import { rangeWords } from './ledger-change.js';
import { sameTime } from './shapes.js';
import { rowsOfPartition, type Taken } from './stale-rows.js';

/** A dataset as it is defined today, and the shapes that its partitions have. */
export interface Today {
  readonly scope: Scope;
  readonly dataset: Dataset;
  readonly described: Described;
  readonly shape: Shape;
  readonly shapes: readonly KnownShape[];
}

/**
 * Refuses partitions that another structure than today's has made: they would be wrong whatever a person says of their values.
 * @throws RequestError time_changed, key_changed, version_unknown, columns_not_filled
 */
export async function requireSameStructure(tx: Db, today: Today, taken: readonly Taken[]): Promise<void> {
  if (taken.length === 0) return;
  requireSameTime(today, taken);
  requireSameKey(today, taken, await keysOfVersions(tx, today.scope, today.dataset.name));
  for (const former of formerShapes(today, taken)) await requireFilled(tx, today, former, taken);
}

/** Shapes other than today's that partitions have which are to be taken. */
function formerShapes({ shape, shapes }: Today, taken: readonly Taken[]): KnownShape[] {
  const used = new Set(taken.map((one) => one.shape));
  return shapes.filter((one) => used.has(one.shape) && one.shape !== shapeName(shape));
}

function requireSameTime(today: Today, taken: readonly Taken[]): void {
  const { dataset, shape } = today;
  const other = formerShapes(today, taken).find(({ time }) =>
    time === null || shape.time === null ? time !== shape.time : !sameTime(time, shape.time),
  );
  if (!other) return;
  const words = ({ time }: Shape): string =>
    time === null ? 'nothing' : `${quoteIdent(time.column)} (${time.unit ?? time.type}, ${time.timezone})`;
  throw refusal(
    today,
    taken.filter((one) => one.shape === other.shape),
    'time_changed',
    `${dataset.file}: the rows of DAYS are told by ${words(other)}, and today by ${words(shape)}: they may be of other partitions`,
  );
}

function requireSameKey(today: Today, taken: readonly Taken[], keys: ReadonlyMap<string, readonly string[]>): void {
  const { dataset } = today;
  const wanted = dataset.key.toSorted().join('\n');
  for (const version of new Set(taken.map((one) => one.version))) {
    if (version === dataset.version) continue;
    const key = keys.get(version);
    if (key?.toSorted().join('\n') === wanted) continue;
    const of = taken.filter((one) => one.version === version);
    if (key === undefined)
      throw refusal(
        today,
        of,
        'version_unknown',
        `${dataset.file}: DAYS are of version ${version.slice(0, 8)}, of which nothing is kept: its key may be another one`,
      );
    throw refusal(
      today,
      of,
      'key_changed',
      `${dataset.file}: DAYS were built with ${keyWords(key)}, and ${dataset.name} has ${keyWords(dataset.key)} today: their rows are of something else`,
    );
  }
}

function keyWords(key: readonly string[]): string {
  return key.length === 0 ? 'no key' : `key (${key.join(', ')})`;
}

/** A column that came since must have values there: where all are NULL nobody has filled it. */
async function requireFilled(tx: Db, today: Today, former: KnownShape, taken: readonly Taken[]): Promise<void> {
  const { dataset, described } = today;
  const added = described.columns.filter(({ name }) => !former.columns.some((one) => one.name === name));
  if (added.length === 0) return;
  const of = taken.filter((one) => one.shape === former.shape);
  const counts = added.map(({ name }, i) => `count(sluice_t.${escaped(quoteIdent(name))}) AS c${i}`).join(', ');
  const rows = await rowsOf<{ at: number; lacks: boolean[] }>(
    tx,
    `SELECT extract(epoch FROM s.starts_at)::float8 * 1000 AS at, ARRAY[${added.map((_, i) => `c${i} = 0`).join(', ')}] AS lacks
     FROM unnest(?::timestamptz[], ?::timestamptz[]) AS s(starts_at, ends_at)
     CROSS JOIN LATERAL (SELECT count(*) AS n, ${counts}
       FROM ${escaped(quoteTable(dataset.table))} AS sluice_t WHERE ${rowsOfPartition(dataset, described)}) AS c
     WHERE n > 0 AND (${added.map((_, i) => `c${i} = 0`).join(' OR ')}) ORDER BY 1`,
    [of.map(({ start }) => sqlInstant(start)), of.map(({ end }) => sqlInstant(end))],
  );
  if (rows.length === 0) return;
  const columns = added.flatMap(({ name }, i) => (rows.some(({ lacks }) => lacks[i] === true) ? [name] : []));
  const empty = new Set(rows.map(({ at }) => at));
  const [column = ''] = columns;
  throw refusal(
    today,
    of.filter(({ start }) => empty.has(start)),
    'columns_not_filled',
    `${dataset.file}: DAYS were built without ${columns.map(quoteIdent).join(', ')}, which ${columns.length === 1 ? 'is' : 'are'} NULL throughout there`,
    `fill ${columns.length === 1 ? 'it' : 'them'}, then adopt again: UPDATE ${quoteTable(dataset.table)} SET ${quoteIdent(column)} = … WHERE ${quoteIdent(column)} IS NULL; or `,
  );
}

/** Says how many partitions it is about, and how they are built again. */
function refusal(
  { dataset: { name }, scope }: Today,
  of: readonly Taken[],
  code: string,
  message: string,
  before = '',
): RequestError {
  const span = { start: of[0]?.start ?? -Infinity, end: of.at(-1)?.end ?? Infinity };
  return new RequestError(
    code,
    message.replace('DAYS', plural(of.length, 'partition')),
    `${before}build them again: ${typedIn(scope.environment, `sluice backfill ${name}${rangeWords(span)} --rebuild stale`)}`,
  );
}
