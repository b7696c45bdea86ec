import { errorFacts, isRefusedStatement } from '../postgres/error.js';
import { movesInBinary, type SourceColumn } from '../source/postgres/describe.js';
import type { Scratch } from './scratch.js';

/**
 * Columns of a source as the warehouse can keep them: a type of a newer PostgreSQL, or of an extension, that it lacks arrives as text, and one whose
 * modifier it refuses (`numeric(5,-2)` came with 15) without it: the values have been rounded by it already.
 */
export async function asHeld(scratch: Scratch, columns: readonly SourceColumn[]): Promise<SourceColumn[]> {
  const kept: SourceColumn[] = [];
  for (const column of columns) {
    const type = await heldType(scratch, column.type);
    kept.push(type === column.type ? column : { ...column, type, cast: true });
  }
  return kept;
}

async function heldType(scratch: Scratch, type: string): Promise<string> {
  if (movesInBinary(type) && !type.startsWith('numeric(')) return type;
  const known = scratch.held.get(type);
  if (known !== undefined) return known;
  const array = type.endsWith('[]') ? '[]' : '';
  const plain = `${type.replace(/\[\]$/, '').replace(/\([^)]*\)/, '')}${array}`;
  const held = (await isType(scratch, type)) ? type : (await isType(scratch, plain)) ? plain : `text${array}`;
  scratch.held.set(type, held);
  return held;
}

async function isType({ client }: Scratch, type: string): Promise<boolean> {
  await client.query('SAVEPOINT sluice_type');
  try {
    const { rows } = await client.query<{ known: boolean }>('SELECT to_regtype($1) IS NOT NULL AS known', [type]);
    return rows[0]?.known === true;
  } catch (error) {
    if (!isRefusedStatement(errorFacts(error).sqlstate)) throw error;
    return false;
  } finally {
    await client.query('ROLLBACK TO SAVEPOINT sluice_type');
  }
}
