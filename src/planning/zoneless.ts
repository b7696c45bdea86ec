import { RequestError } from '../contracts/errors.js';
import type { Grain } from '../core/time/axis.js';
import { changesClocks } from '../core/time/zone.js';
import { errorFacts, isRefusedStatement } from '../postgres/error.js';
import type { PgClient } from '../postgres/pool.js';
import { quoteLiteral } from '../postgres/quote.js';
import { isZoneless } from '../postgres/time.js';
import type { Dataset } from '../project/project.js';
import type { Rendered } from '../project/render.js';
import { withParams } from './params.js';

/**
 * Refuses a transform that compares `:start` or `:end` with a `date` or `timestamp`, in a zone whose clocks change: PostgreSQL
 * orders the two by rules that an index does not keep at a DST gap, and rows were lost through it.
 *
 * PostgreSQL itself is asked, after its own analysis: the statement becomes a view, whose stored tree names the operator that every
 * comparison came to. A view has no parameters, so that each stands as an instant of its own, which the tree shows again. The view goes
 * with the savepoint.
 * @throws RequestError zoneless_comparison; sql_error where PostgreSQL makes no view of it: what cannot be judged is not fine
 */
export async function requireZonedComparisons(client: PgClient, dataset: Dataset, statement: Rendered): Promise<void> {
  if (statement.params.length === 0 || !changesClocks(dataset.axis.zone, dataset.start)) return;
  const [found] = await zonelessComparisons(client, dataset, statement);
  if (!found) return;
  const { param, offset, type } = found;
  const place = offset === undefined ? '' : `:${statement.text.slice(0, offset).split('\n').length}`;
  throw new RequestError(
    'zoneless_comparison',
    `${dataset.file}${place}: compares :${param} with a ${type}, which has no zone: where clocks change (${dataset.axis.zone}) rows get lost`,
    `compare in its own terms: \`:${param}::timestamp\` is the wall-clock time of ${dataset.axis.zone}`,
  );
}

const CLOCK_GRAINS: readonly Grain[] = ['5m', '15m', 'hour'];

/**
 * Refuses a `time` without a zone where partitions follow the clock and clocks change: of the hour that is shown twice, two partitions
 * would claim the same rows.
 * @throws RequestError zoneless_time
 */
export function requireZonedTime({ axis, start, file, time }: Dataset, type: string): void {
  if (!isZoneless(type) || !CLOCK_GRAINS.includes(axis.grain) || !changesClocks(axis.zone, start)) return;
  throw new RequestError(
    'zoneless_time',
    `${file}: time column ${JSON.stringify(time)} is ${type}, which has no zone: where clocks change (${axis.zone}) it shows times twice`,
    `select it as timestamptz: \`${time} AT TIME ZONE '${axis.zone}'\` if it comes without one; or \`timezone: UTC\`, or \`grain: day\``,
  );
}

interface Comparison {
  readonly param: 'start' | 'end';
  /** Of the parameter in the statement; unknown where the statement is only valid with one value for all its uses. */
  readonly offset?: number;
  readonly type: 'timestamp' | 'date';
}

async function zonelessComparisons(client: PgClient, { file }: Dataset, statement: Rendered): Promise<Comparison[]> {
  const { params } = statement;
  // Each use has an instant of its own, which tells its place. `GROUP BY x + :start` needs the same one as in the SELECT.
  const apart = await treeOf(
    client,
    withParams(statement, (_, index) => quoteLiteral(stampText(index))),
  );
  const judged =
    'tree' in apart
      ? apart
      : await treeOf(
          client,
          withParams(statement, ({ name }) => quoteLiteral(stampText(name === 'start' ? 0 : 1))),
        );
  if ('refused' in judged) {
    throw new RequestError(
      'sql_error',
      `${file}: PostgreSQL makes no view of it, which tells how it compares :start and :end: ${judged.refused}`,
      'write it so that CREATE VIEW would take it',
    );
  }
  return comparisonsIn(judged.tree, await crossTypeOperators(client)).flatMap(({ stamp, type }) => {
    if (judged !== apart) return [{ param: stamp === 0 ? ('start' as const) : ('end' as const), type }];
    const used = params[stamp];
    return used ? [{ param: used.name, offset: used.start, type }] : [];
  });
}

/** Instants that stand for parameters: the microseconds after one that nobody writes. */
const STAMP_SECOND = '0999-07-13T11:41:59';

function stampText(index: number): string {
  return `${STAMP_SECOND}.${String(index + 1).padStart(6, '0')}Z`;
}

/** PostgreSQL's count of microseconds begins with 2000. */
const STAMP_BASE = (BigInt(Date.parse(`${STAMP_SECOND}Z`)) - BigInt(Date.parse('2000-01-01T00:00:00Z'))) * 1000n + 1n;

/** The index of a stamp by the bytes that a stored tree shows of it; the server may count them from either end. */
function stampOf(bytes: string): number | undefined {
  const value = Buffer.from(bytes.trim().split(' ').map(Number));
  const index = [value.readBigInt64LE(), value.readBigInt64BE()].map((read) => read - STAMP_BASE);
  const found = index.find((one) => one >= 0n && one < 999_999n);
  return found === undefined ? undefined : Number(found);
}

/** The tree that PostgreSQL stores of a statement, or why it stores none. */
async function treeOf(client: PgClient, sql: string): Promise<{ tree: string } | { refused: string }> {
  await client.query('SAVEPOINT sluice_tree');
  try {
    await client.query(`CREATE TEMP VIEW sluice_tree AS SELECT 1 AS one FROM (${sql}\n) AS sluice_q`);
    const { rows } = await client.query<{ tree: string }>(
      `SELECT ev_action::text AS tree FROM pg_rewrite WHERE ev_class = 'pg_temp.sluice_tree'::regclass`,
    );
    const [row] = rows;
    if (!row) throw new Error('a view has no rule');
    return row;
  } catch (error) {
    const { sqlstate, message } = errorFacts(error);
    if (!isRefusedStatement(sqlstate)) throw error;
    return { refused: message ?? String(error) };
  } finally {
    await client.query('ROLLBACK TO SAVEPOINT sluice_tree');
  }
}

type Operators = ReadonlyMap<string, Comparison['type']>;

/** Comparisons between timestamptz and what has no zone, by oid. */
async function crossTypeOperators(client: PgClient): Promise<Operators> {
  const { rows } = await client.query<{ oid: string; type: Comparison['type'] }>(
    `SELECT o.oid::text AS oid, CASE WHEN 'date'::regtype IN (oprleft, oprright) THEN 'date' ELSE 'timestamp' END AS type
     FROM pg_operator o WHERE oprname IN ('<', '<=', '=', '<>', '>=', '>') AND oprleft <> oprright
       AND 'timestamptz'::regtype IN (oprleft, oprright)
       AND (oprleft IN ('date'::regtype, 'timestamp'::regtype) OR oprright IN ('date'::regtype, 'timestamp'::regtype))`,
  );
  return new Map(rows.map(({ oid, type }) => [oid, type]));
}

interface OpenNode {
  readonly at: number;
  readonly stamps: Set<number>;
}

/** A head that names its operators is no longer than this; of a constant it is all. */
const HEAD_MAX = 400;
const STAMP = /^\{CONST :consttype 1184 .* :constvalue 8 \[ ((?:-?\d+ ){8})\]$/;
const COMPARES =
  /^\{(?:(?:OPEXPR|DISTINCTEXPR|NULLIFEXPR|SCALARARRAYOPEXPR) :opno|ROWCOMPAREEXPR :\w+ \d+ :opnos \(o) (\d+(?: \d+)*)/;

/**
 * Comparisons of `operators` with a stamp anywhere in an operand, but for subqueries, which have comparisons of their own.
 * The text is nested `{NODE :field value …}`; what a value holds of braces is escaped by a backslash.
 */
function comparisonsIn(tree: string, operators: Operators): { stamp: number; type: Comparison['type'] }[] {
  const found: { stamp: number; type: Comparison['type'] }[] = [];
  const open: OpenNode[] = [];
  for (let at = 0; at < tree.length; at++) {
    const char = tree[at];
    if (char === '\\') at++;
    else if (char === '{') open.push({ at, stamps: new Set() });
    else if (char === '}') {
      const node = open.pop();
      if (!node) break;
      const own = tree.slice(node.at, Math.min(at, node.at + HEAD_MAX));
      const bytes = STAMP.exec(own)?.[1];
      const stamp = bytes === undefined ? undefined : stampOf(bytes);
      if (stamp !== undefined) node.stamps.add(stamp);
      const used = COMPARES.exec(own)?.[1]?.split(' ') ?? [];
      const type = used.map((operator) => operators.get(operator)).find((one) => one !== undefined);
      if (type !== undefined) found.push(...[...node.stamps].map((one) => ({ stamp: one, type })));
      const parent = open.at(-1);
      if (parent && !own.startsWith('{QUERY ')) for (const one of node.stamps) parent.stamps.add(one);
    }
  }
  return found;
}
