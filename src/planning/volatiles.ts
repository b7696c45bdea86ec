import type { PgClient } from '../postgres/pool.js';
import type { Dataset, Project } from '../project/project.js';
import { PURE_VOLATILE } from './functions.js';

/** What of a database may be VOLATILE. */
export interface Volatiles {
  /** Functions, in lower case. */
  readonly names: readonly string[];
  /** Whether one may run without being named: through an operator, a cast, the check of a domain, an aggregate's part, a default. */
  readonly hidden: boolean;
  /** Names of the views that people made, `schema.name`: what those call is not in the text of who reads them. */
  readonly views: readonly string[];
}

const VOLATILES = `SELECT
  (SELECT array_agg(DISTINCT lower(proname)) FROM pg_proc
   WHERE provolatile = 'v' AND NOT (pronamespace = 'pg_catalog'::regnamespace AND proname = ANY ($1::text[]))) AS names,
  (SELECT coalesce(array_agg(n.nspname || '.' || c.relname), '{}') FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
   WHERE c.relkind = 'v' AND c.oid >= 16384) AS views,
  EXISTS (SELECT FROM pg_operator o JOIN pg_proc p ON p.oid = o.oprcode WHERE p.provolatile = 'v')
    OR EXISTS (SELECT FROM pg_cast c JOIN pg_proc p ON p.oid = c.castfunc WHERE p.provolatile = 'v')
    OR EXISTS (SELECT FROM pg_constraint WHERE contypid <> 0 AND oid >= 16384)
    OR EXISTS (SELECT FROM pg_proc WHERE oid >= 16384 AND (prokind = 'a' OR proargdefaults IS NOT NULL)) AS hidden`;

/**
 * Whether a transform may call a VOLATILE function at all. Where not one of their names stands in its text, none can run unseen, and it reads
 * no view, PostgreSQL need not be asked: a view for each of 200 transforms was half of what planning them took.
 *
 * @param asked - keeps what the catalog said
 * @param sql - as it will be prepared, its dataset names rewritten
 */
export async function mayCallVolatile(
  asked: { readonly client: PgClient; volatiles: Volatiles | null },
  project: Pick<Project, 'datasets'>,
  dataset: Dataset,
  sql: string,
): Promise<boolean> {
  if (dataset.reads.length > 0) return true;
  asked.volatiles ??= await askVolatiles(asked.client);
  const { hidden, names, views } = asked.volatiles;
  const readsView = dataset.needs.some((need) => {
    const upstream = project.datasets.get(need.dataset);
    // What another environment built may be a view there.
    return (
      upstream?.publish === 'view' || (upstream && views.includes(`${upstream.table.schema}.${upstream.table.name}`))
    );
  });
  return readsView || hidden || namesAny(sql, names);
}

async function askVolatiles(client: PgClient): Promise<Volatiles> {
  const { rows } = await client.query<Volatiles>(VOLATILES, [[...PURE_VOLATILE]]);
  return rows[0] ?? { names: [], hidden: true, views: [] };
}

/** PostgreSQL cuts longer names. */
const NAME_MAX = 63;

/**
 * Whether one of `names`, in lower case, may stand in `sql`. Too often rather than too seldom: it counts in a comment, in a string and as a column,
 * in any case; and a text whose names can be written otherwise (`U&"\006e…"`) or are cut always counts.
 */
export function namesAny(sql: string, names: readonly string[]): boolean {
  const text = sql.toLowerCase();
  if (/u&["']/.test(text)) return true;
  const words = new Set(text.match(/[\p{L}_][\p{L}\p{M}\p{N}_$]*/gu));
  if ([...words].some((word) => Buffer.byteLength(word) > NAME_MAX)) return true;
  return names.some((name) => (/^[a-z_][a-z0-9_]*$/.test(name) ? words.has(name) : text.includes(name)));
}
