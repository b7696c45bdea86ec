import { RequestError } from '../contracts/errors.js';
import type { TableName } from '../contracts/table.js';
import type { PgClient } from '../postgres/pool.js';
import type { Dataset, Project } from '../project/project.js';
import { relationsUnder } from './reads.js';

/** A function that somebody made in the warehouse. */
interface Made {
  readonly schema: string;
  readonly name: string;
  /** Its settings and what it does; null until it is needed. */
  readonly text: string | null;
  /** Views that call it, as `schema.name`. */
  readonly views: readonly string[];
}

/** Not those of extensions and of sluice, and what is written in a language that can name a table. */
const MADE = `SELECT n.nspname AS schema, p.proname AS name, CASE WHEN NOT $1 THEN NULL WHEN p.prosrc = '' THEN pg_get_functiondef(p.oid)
      ELSE concat_ws(' ', array_to_string(p.proconfig, ' '), p.prosrc) END AS text,
    ARRAY(SELECT s.nspname || '.' || c.relname FROM pg_depend d JOIN pg_rewrite w ON w.oid = d.objid JOIN pg_class c ON c.oid = w.ev_class
      JOIN pg_namespace s ON s.oid = c.relnamespace WHERE d.classid = 'pg_rewrite'::regclass AND d.refclassid = 'pg_proc'::regclass AND d.refobjid = p.oid) AS views
  FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace JOIN pg_language l ON l.oid = p.prolang
  WHERE p.oid >= 16384 AND p.prokind IN ('f', 'w') AND l.lanname NOT IN ('c', 'internal') AND n.nspname <> 'sluice'
    AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e')`;

/** What the catalog said of functions, asked once where planning tries things. */
export interface MadeFunctions {
  readonly client: PgClient;
  functions: readonly Made[] | null;
}

/**
 * Refuses a transform that calls a function which reads a dataset: no partition would wait for what it reads, nor be stale by it. PostgreSQL keeps
 * most of them as text; whatever table or view is named there counts as read, also in a comment, and `allow` is the author's word that it is not.
 * @throws RequestError reads_by_function
 */
export async function requireNoHiddenReads(
  asked: MadeFunctions,
  project: Project,
  { file, allow, reads }: Pick<Dataset, 'file' | 'allow' | 'reads'>,
  called: readonly string[],
): Promise<void> {
  const { client } = asked;
  asked.functions ??= (await client.query<Made>(MADE, [false])).rows;
  if (asked.functions.length === 0) return;
  const views = new Set(reads.map(({ schema, name }) => `${schema}.${name}`));
  const isCalled = (one: Made): boolean =>
    called.some((name) => isNamed(one, name)) || one.views.some((view) => views.has(view));
  const allowed = new Set(allow.map((name) => name.toLowerCase()));
  const isAllowed = ({ schema, name }: Made): boolean =>
    allowed.has(name.toLowerCase()) || allowed.has(`${schema}.${name}`.toLowerCase());
  if (!asked.functions.some((one) => isCalled(one) && !isAllowed(one))) return;
  if (asked.functions.some(({ text }) => text === null))
    asked.functions = (await client.query<Made>(MADE, [true])).rows;
  for (const one of asked.functions.filter((made) => isCalled(made) && !isAllowed(made))) {
    const dataset = await datasetIn(client, tablesNamed(one, asked.functions, project), project);
    if (dataset === undefined) continue;
    const shown = one.schema === 'public' ? one.name : `${one.schema}.${one.name}`;
    throw new RequestError(
      'reads_by_function',
      `${file}: calls ${shown}, which reads dataset ${dataset}: no partition waits for what a function reads, or is stale by it`,
      `read ${dataset} in the SQL itself, or through a plain view under reads; if it is read nowhere, say so: allow: [${shown}]`,
    );
  }
}

/** A dataset among tables, also one that is not there yet, or under the views among them. */
async function datasetIn(
  client: PgClient,
  tables: readonly TableName[],
  project: Project,
): Promise<string | undefined> {
  const named = [...project.datasets.values()].find(
    ({ body, table }) =>
      body.kind !== 'call' && tables.some(({ schema, name }) => schema === table.schema && name === table.name),
  );
  if (named) return named.name;
  return (await relationsUnder(client, tables, project)).find(({ dataset }) => dataset !== undefined)?.dataset;
}

/** A name as SQL calls it, with or without its schema; without one it is that of public. */
function isNamed({ schema, name }: Made, called: string): boolean {
  return called === name ? schema === 'public' : called === `${schema}.${name}`;
}

const IDENTIFIER = '(?:"(?:[^"]|"")+"|[\\p{L}_][\\p{L}\\p{M}\\p{N}_$]*)';
const NAMES = new RegExp(`${IDENTIFIER}(?:\\s*\\.\\s*${IDENTIFIER})*`, 'gu');

/** Whatever may be a table in a function and in those that it calls. */
function tablesNamed(first: Made, functions: readonly Made[], { datasets }: Project): TableName[] {
  const tables = new Map<string, TableName>();
  const seen = new Set<Made>();
  const queue = [first];
  const schemas = new Set(['public', ...[...datasets.values()].map(({ table }) => table.schema)]);
  for (let made = queue.pop(); made !== undefined; made = queue.pop()) {
    if (seen.has(made)) continue;
    seen.add(made);
    const text = made.text ?? '';
    // Without one of its own, the session's is in force: public.
    const bare = /search_path/i.test(text) ? schemas : new Set(['public']);
    for (const [match] of text.matchAll(NAMES)) {
      const parts = [...match.matchAll(new RegExp(IDENTIFIER, 'gu'))].map(([part]) => folded(part));
      const name = parts.at(-1) ?? '';
      if (parts.join('.') === `${made.schema}.${made.name}`) continue;
      for (const schema of parts.length > 1 ? [parts.at(-2) ?? ''] : bare)
        tables.set(JSON.stringify([schema, name]), { schema, name });
      queue.push(...functions.filter((one) => isNamed(one, parts.slice(-2).join('.'))));
    }
  }
  return [...tables.values()];
}

function folded(identifier: string): string {
  return identifier.startsWith('"') ? identifier.slice(1, -1).replaceAll('""', '"') : identifier.toLowerCase();
}
