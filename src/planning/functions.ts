import { RequestError } from '../contracts/errors.js';
import type { PgClient } from '../postgres/pool.js';
import type { Dataset } from '../project/project.js';

/** VOLATILE functions of PostgreSQL that change nothing: what they give differs from run to run, and nothing else does. */
export const PURE_VOLATILE = new Set(['random', 'clock_timestamp', 'gen_random_uuid', 'pg_sleep']);

/** A VOLATILE function, and by way of what it is called where that is not the call itself. */
export interface Call {
  readonly schema: string;
  readonly name: string;
  readonly through: string | null;
}

/**
 * The calls that must not be: neither safe nor under `allow`, where an unqualified name is that of every schema. Safe are
 * PostgreSQL's own only: `public.random(text)` may do what it likes.
 */
export function unsafeCalls(calls: readonly Call[], allow: readonly string[]): Call[] {
  const allowed = new Set(allow.map((name) => name.toLowerCase()));
  return calls.filter(
    ({ schema, name }) =>
      !(schema === 'pg_catalog' && PURE_VOLATILE.has(name)) &&
      !allowed.has(name.toLowerCase()) &&
      !allowed.has(`${schema}.${name}`.toLowerCase()),
  );
}

/**
 * Refuses a transform that calls a VOLATILE function: it may write, and a retry would do that twice.
 *
 * PostgreSQL itself is asked, after its own analysis: the statement becomes a view, whose stored tree names the function that every
 * call, operator and cast came to. Which of several functions of one name is meant no text can tell: `lower(x)` is `public.lower`
 * where that fits the type of `x` better. The view goes with the savepoint.
 * @throws RequestError unsafe_function
 */
export async function requireSafeCalls(
  client: PgClient,
  dataset: Pick<Dataset, 'file' | 'allow'>,
  sql: string,
): Promise<void> {
  await client.query('SAVEPOINT sluice_calls');
  try {
    // One column of its own: those of the statement may have names that no view takes.
    await client.query(`CREATE TEMP VIEW sluice_calls AS SELECT 1 AS one FROM (${sql}\n) AS sluice_q`);
    const { rows } = await client.query<Call>(
      volatileCalls(`SELECT 'relation', 'pg_temp.sluice_calls'::regclass::oid, NULL::text`),
    );
    refuse(dataset, rows, sql);
  } finally {
    await client.query('ROLLBACK TO SAVEPOINT sluice_calls');
  }
}

/**
 * The same of the query of an extract, by the names that it calls: a source may be a replica, where no view can be made. It is read in
 * a READ ONLY transaction; `set_config` and `pg_terminate_backend` do not mind that.
 * @throws RequestError unsafe_function
 */
export async function requireSafeNames(
  client: PgClient,
  dataset: Pick<Dataset, 'file' | 'allow'>,
  names: readonly string[],
): Promise<void> {
  const { rows } = await client.query<Call>(
    volatileCalls(
      `SELECT 'function', p.oid, NULL::text FROM unnest($1::text[]) AS f(name)
       JOIN pg_proc p ON p.proname = substring(f.name FROM '[^.]*$') JOIN pg_namespace n ON n.oid = p.pronamespace
       WHERE CASE WHEN position('.' IN f.name) = 0 THEN pg_function_is_visible(p.oid)
         ELSE n.nspname = regexp_replace(f.name, '\\.[^.]*$', '') END`,
    ),
    [names],
  );
  refuse(dataset, rows);
}

/** Where a stored tree names what it uses. A name in the tree cannot look like this: its blanks are escaped. */
const USES = ':(funcid|opfuncid|aggfnoid|winfnoid|relid|resulttype) (\\d+)';

/**
 * The VOLATILE functions that run when `seed` does: in views over views, in the parts of an aggregate, in the defaults of arguments, in the
 * checks of domains. Views of PostgreSQL's own (oid below 16384) are trusted, and so is who declared a function STABLE.
 */
function volatileCalls(seed: string): string {
  return `WITH RECURSIVE seen(kind, oid, through) AS (
      ${seed}
      UNION
      SELECT next.kind, next.oid, coalesce(seen.through, next.through) FROM seen CROSS JOIN LATERAL (
        SELECT CASE use[1] WHEN 'relid' THEN 'relation' WHEN 'resulttype' THEN 'type' ELSE 'function' END AS kind, use[2]::oid AS oid,
          coalesce(t.through, CASE use[1] WHEN 'opfuncid' THEN 'an operator' END) AS through
        FROM (
          SELECT w.ev_action::text AS tree, CASE WHEN c.relname <> 'sluice_calls' THEN 'view ' || c.oid::regclass::text END AS through
            FROM pg_class c JOIN pg_rewrite w ON w.ev_class = c.oid
            WHERE seen.kind = 'relation' AND c.oid = seen.oid AND c.relkind = 'v' AND c.oid >= 16384
          UNION ALL
          SELECT conbin::text, 'domain ' || seen.oid::regtype::text FROM pg_constraint WHERE seen.kind = 'type' AND contypid = seen.oid
          UNION ALL
          SELECT proargdefaults::text, 'the defaults of ' || seen.oid::regproc::text FROM pg_proc WHERE seen.kind = 'function' AND oid = seen.oid
        ) AS t CROSS JOIN LATERAL regexp_matches(t.tree, '${USES}', 'g') AS use
        UNION ALL
        SELECT 'function', part, 'aggregate ' || seen.oid::regproc::text FROM pg_aggregate
          CROSS JOIN unnest(ARRAY[aggtransfn, aggfinalfn, aggcombinefn, aggserialfn, aggdeserialfn, aggmtransfn, aggminvtransfn, aggmfinalfn]::oid[]) AS part
          WHERE seen.kind = 'function' AND aggfnoid = seen.oid
        UNION ALL
        SELECT 'type', part, NULL FROM pg_type CROSS JOIN unnest(ARRAY[typbasetype, typelem]) AS part
          WHERE seen.kind = 'type' AND pg_type.oid = seen.oid
      ) AS next WHERE next.oid <> 0
    )
    SELECT DISTINCT ON (n.nspname, p.proname) n.nspname AS schema, p.proname AS name, seen.through FROM seen
    JOIN pg_proc p ON seen.kind = 'function' AND p.oid = seen.oid JOIN pg_namespace n ON n.oid = p.pronamespace
    WHERE p.provolatile = 'v' ORDER BY n.nspname, p.proname, seen.through NULLS FIRST`;
}

function refuse({ file, allow }: Pick<Dataset, 'file' | 'allow'>, calls: readonly Call[], sql?: string): void {
  const unsafe = unsafeCalls(calls, allow);
  const [first] = unsafe;
  if (!first) return;
  const named = unsafe.map((call) => ({ ...call, shown: shownName(call) }));
  const said = named.map(({ shown, through }) => (through === null ? shown : `${shown} (through ${through})`));
  const place = sql === undefined || first.through !== null ? '' : placeOf(sql, first.name);
  throw new RequestError(
    'unsafe_function',
    `${file}${place}: calls ${said.join(', ')}, which is VOLATILE: it may change something each time it runs`,
    `leave it out, or declare that running it again does no harm: allow: [${named.map(({ shown }) => shown).join(', ')}]`,
  );
}

/** As its author writes it: bare names are those of PostgreSQL and of public. */
function shownName({ schema, name }: Call): string {
  return schema === 'pg_catalog' || schema === 'public' ? name : `${schema}.${name}`;
}

/** `:12`, the line of the first call; the tree keeps no place that survives. */
function placeOf(text: string, name: string): string {
  const bare = name.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
  const found = new RegExp(`(?<![\\p{L}\\p{N}_])"?${bare}"?\\s*\\(`, 'iu').exec(text);
  return found ? `:${text.slice(0, found.index).split('\n').length}` : '';
}
