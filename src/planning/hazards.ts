import { RequestError } from '../contracts/errors.js';
import type { PgClient } from '../postgres/pool.js';
import { quoteTable } from '../postgres/quote.js';
import type { Dataset } from '../project/project.js';

/** What of a table that is there would make of its partitions something else than what is published. */
interface Hazards {
  readonly unlogged: boolean;
  /** Foreign keys of other tables by which deleting a row here changes rows there. */
  readonly cascades: { readonly table: string; readonly name: string; readonly definition: string }[] | null;
  /** Functions of triggers that may change or swallow a row. */
  readonly triggers: { readonly name: string; readonly schema: string; readonly function: string }[] | null;
}

const HAZARDS = `SELECT c.relpersistence = 'u' AS unlogged,
    (SELECT json_agg(json_build_object('table', (SELECT format('%I.%I', s.nspname, o.relname) FROM pg_class o JOIN pg_namespace s ON s.oid = o.relnamespace WHERE o.oid = k.conrelid), 'name', quote_ident(k.conname), 'definition', pg_get_constraintdef(k.oid)) ORDER BY k.conname)
       FROM pg_constraint k WHERE k.confrelid = c.oid AND k.contype = 'f' AND k.confdeltype IN ('c', 'n', 'd') AND k.conparentid = 0) AS cascades,
    (SELECT json_agg(json_build_object('name', t.tgname, 'schema', n.nspname, 'function', p.proname) ORDER BY t.tgname)
       FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid JOIN pg_namespace n ON n.oid = p.pronamespace
       WHERE t.tgrelid = c.oid AND NOT t.tgisinternal AND t.tgenabled IN ('O', 'A') AND t.tgtype & 3 = 3) AS triggers
  FROM pg_class c WHERE c.oid = to_regclass($1)`;

/**
 * Refuses a table in which publishing would do more or less than it says: a crash empties it and leaves the ledger, deleting a partition's rows
 * deletes rows of others by a foreign key, or a trigger may change or swallow rows, unless `allow` names its function.
 * @throws RequestError unlogged_table, deletes_elsewhere, row_trigger
 */
export async function requireNoHazard(client: PgClient, { file, table, allow }: Dataset): Promise<void> {
  const target = quoteTable(table);
  const { rows } = await client.query<Hazards>({ name: 'sluice_hazards', text: HAZARDS, values: [target] });
  const [found] = rows;
  if (!found) return;
  const refuse = (code: string, message: string, remedy: string): never => {
    throw new RequestError(code, `${file}: ${message}`, remedy);
  };
  if (found.unlogged)
    refuse(
      'unlogged_table',
      `table ${target} is UNLOGGED: a crash of the server empties it, and the ledger would go on saying that it is built`,
      `run, then plan again:\nALTER TABLE ${target} SET LOGGED;`,
    );
  const [cascade] = found.cascades ?? [];
  if (cascade) {
    const { table: other, name, definition } = cascade;
    refuse(
      'deletes_elsewhere',
      `foreign key ${name} of ${other} changes its rows when rows of ${target} are deleted (${definition}), as each rebuild of a partition does before it writes them again`,
      `drop it, or have it look when the partition is written again; run, then plan again:\nALTER TABLE ${other} DROP CONSTRAINT ${name}, ADD CONSTRAINT ${name} ${deferred(definition)};`,
    );
  }
  const allowed = new Set(allow.map((name) => name.toLowerCase()));
  const trigger = (found.triggers ?? []).find(
    (one) => !allowed.has(one.function.toLowerCase()) && !allowed.has(`${one.schema}.${one.function}`.toLowerCase()),
  );
  if (trigger) {
    const called = trigger.schema === 'public' ? trigger.function : `${trigger.schema}.${trigger.function}`;
    refuse(
      'row_trigger',
      `trigger ${JSON.stringify(trigger.name)} of table ${target} runs ${called} before each row, which may change or leave out what is published`,
      `drop it, or say that it does neither: allow: [${called}]`,
    );
  }
}

/** The same foreign key, which changes nothing and is looked at as the transaction ends. */
function deferred(definition: string): string {
  const plain = definition
    .replace(/ ON DELETE (?:CASCADE|SET NULL|SET DEFAULT)(?: \([^)]*\))?/, '')
    .replace(/ NOT DEFERRABLE| DEFERRABLE| INITIALLY (?:DEFERRED|IMMEDIATE)/g, '');
  return plain.replace(/( NOT VALID)?$/, ' DEFERRABLE INITIALLY DEFERRED$1');
}
