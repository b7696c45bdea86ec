import { RequestError } from '../contracts/errors.js';
import type { PgClient } from '../postgres/pool.js';
import type { Dataset, Statement } from '../project/project.js';

/** VOLATILE functions of PostgreSQL that change nothing: what they give differs from run to run, and nothing else does. */
const SAFE = new Set(['random', 'clock_timestamp', 'gen_random_uuid', 'pg_sleep']);

/**
 * Functions of a statement whose volatility must be looked up: not the safe ones, and not those under `allow`. An unqualified
 * name under `allow` allows it in every schema.
 */
export function questionable(functions: readonly string[], allow: readonly string[]): string[] {
  const allowed = new Set(allow.map((name) => name.toLowerCase()));
  return functions.filter((name) => {
    const bare = name.slice(name.lastIndexOf('.') + 1);
    const builtIn = name === bare || name === `pg_catalog.${bare}`;
    return !(builtIn && SAFE.has(bare)) && !allowed.has(name.toLowerCase()) && !allowed.has(bare.toLowerCase());
  });
}

/**
 * Refuses a transform that calls a VOLATILE function: it may write, and a retry would do that twice. One name may stand for
 * several functions; where any of them is VOLATILE, `allow` must say that this is meant.
 * @throws RequestError unsafe_function
 */
export async function requireSafeFunctions(
  client: PgClient,
  dataset: Pick<Dataset, 'file' | 'allow'>,
  statement: Statement,
): Promise<void> {
  const names = questionable(statement.functions, dataset.allow);
  if (names.length === 0) return;
  const { rows } = await client.query<{ name: string }>(
    `SELECT DISTINCT f.name FROM unnest($1::text[]) AS f(name) JOIN pg_proc p
       ON p.proname = CASE WHEN position('.' IN f.name) = 0 THEN f.name ELSE substring(f.name FROM '[^.]*$') END
     JOIN pg_namespace n ON n.oid = p.pronamespace
     WHERE p.provolatile = 'v' AND CASE WHEN position('.' IN f.name) = 0 THEN pg_function_is_visible(p.oid)
       ELSE n.nspname = regexp_replace(f.name, '\\.[^.]*$', '') END ORDER BY 1`,
    [names],
  );
  const [first] = rows;
  if (!first) return;
  const all = rows.map(({ name }) => name).join(', ');
  throw new RequestError(
    'unsafe_function',
    `${dataset.file}${placeOf(statement.text, first.name)}: calls ${all}, which is VOLATILE: it may change something each time it runs`,
    `leave it out, or declare that running it again does no harm: allow: [${all}]`,
  );
}

/** `:12`, the line of the first call; the parser keeps no place of it. */
function placeOf(text: string, name: string): string {
  const bare = name.slice(name.lastIndexOf('.') + 1).replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
  const found = new RegExp(`(?<![\\p{L}\\p{N}_])"?${bare}"?\\s*\\(`, 'iu').exec(text);
  return found ? `:${text.slice(0, found.index).split('\n').length}` : '';
}
