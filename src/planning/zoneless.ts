import { RequestError } from '../contracts/errors.js';
import type { Grain } from '../core/time/axis.js';
import { changesClocks } from '../core/time/zone.js';
import { errorFacts, isRefusedStatement } from '../postgres/error.js';
import type { PgClient } from '../postgres/pool.js';
import { isZoneless } from '../postgres/time.js';
import type { Dataset } from '../project/project.js';
import type { Rendered } from '../project/render.js';
import { withParams } from './params.js';

/**
 * Refuses a transform that compares `:start` or `:end` with a `date` or `timestamp`, in a zone whose clocks change: PostgreSQL
 * orders the two by rules that an index does not keep at a DST gap, and rows were lost through it.
 *
 * PostgreSQL itself is asked, after its own analysis: the statement becomes the body of a function, whose stored tree names the
 * operator that every comparison came to. The function goes with the savepoint.
 * @throws RequestError zoneless_comparison
 */
export async function requireZonedComparisons(client: PgClient, dataset: Dataset, statement: Rendered): Promise<void> {
  if (statement.params.length === 0 || !changesClocks(dataset.axis.zone, dataset.start)) return;
  const [found] = await zonelessComparisons(client, statement);
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
  /** Of the parameter in the statement; unknown where the statement is only valid with one parameter for all its uses. */
  readonly offset?: number;
  readonly type: 'timestamp' | 'date';
}

/** PostgreSQL's limit of a function's arguments. */
const ARGUMENTS_MAX = 100;

async function zonelessComparisons(client: PgClient, statement: Rendered): Promise<Comparison[]> {
  const { params } = statement;
  // Each use has a number of its own, which tells its place. `GROUP BY x + :start` needs the same number as in the SELECT.
  const apart =
    params.length <= ARGUMENTS_MAX
      ? await treeOf(
          client,
          withParams(statement, (_, index) => `$${index + 1}`),
          params.length,
        )
      : null;
  const tree =
    apart ??
    (await treeOf(
      client,
      withParams(statement, ({ name }) => (name === 'start' ? '$1' : '$2')),
      2,
    ));
  if (tree === null) return [];
  return comparisonsIn(tree, await crossTypeOperators(client)).flatMap(({ argument, type }) => {
    if (apart === null) return [{ param: argument === 1 ? ('start' as const) : ('end' as const), type }];
    const used = params[argument - 1];
    return used ? [{ param: used.name, offset: used.start, type }] : [];
  });
}

/** The tree that PostgreSQL stores of a statement; null where it is no valid function, which is not for us to judge. */
async function treeOf(client: PgClient, sql: string, parameters: number): Promise<string | null> {
  const types = Array.from({ length: parameters }, () => 'timestamptz').join(', ');
  await client.query('SAVEPOINT sluice_tree');
  try {
    await client.query(
      `CREATE FUNCTION pg_temp.sluice_tree(${types}) RETURNS void LANGUAGE sql BEGIN ATOMIC ${sql}\n; END`,
    );
    const { rows } = await client.query<{ tree: string }>(
      `SELECT prosqlbody::text AS tree FROM pg_proc WHERE proname = 'sluice_tree' AND pronamespace = pg_my_temp_schema()`,
    );
    return rows[0]?.tree ?? null;
  } catch (error) {
    if (!isRefusedStatement(errorFacts(error).sqlstate)) throw error;
    return null;
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
  readonly parameters: Set<number>;
}

/**
 * Comparisons of `operators` with a parameter anywhere in an operand, but for subqueries, which have comparisons of their own.
 * The text is nested `{NODE :field value …}`; what a value holds of braces is escaped by a backslash.
 */
function comparisonsIn(tree: string, operators: Operators): { argument: number; type: Comparison['type'] }[] {
  const found: { argument: number; type: Comparison['type'] }[] = [];
  const open: OpenNode[] = [];
  for (let at = 0; at < tree.length; at++) {
    const char = tree[at];
    if (char === '\\') at++;
    else if (char === '{') open.push({ at, parameters: new Set() });
    else if (char === '}') {
      const node = open.pop();
      if (!node) break;
      const own = tree.slice(node.at, Math.min(at, node.at + 60));
      const parameter = /^\{PARAM :paramkind 0 :paramid (\d+)/.exec(own)?.[1];
      if (parameter !== undefined) node.parameters.add(Number(parameter));
      const type = operators.get(
        /^\{(?:OPEXPR|DISTINCTEXPR|NULLIFEXPR|SCALARARRAYOPEXPR) :opno (\d+)/.exec(own)?.[1] ?? '',
      );
      if (type !== undefined) found.push(...[...node.parameters].map((argument) => ({ argument, type })));
      const parent = open.at(-1);
      if (parent && !own.startsWith('{QUERY ')) for (const one of node.parameters) parent.parameters.add(one);
    }
  }
  return found;
}
