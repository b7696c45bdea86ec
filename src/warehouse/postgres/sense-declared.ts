import type { PgClient } from '../../postgres/pool.js';
import { faultOf } from '../../postgres/error.js';
import { known, unknown } from './sense.js';

/** What a person declared may look at more than our own looks do. */
export const DECLARED_MS = 1_000;

/** oids of int8, int2, int4, float4, float8, numeric. */
const NUMBERS: ReadonlySet<number> = new Set([20, 21, 23, 700, 701, 1700]);

/** Asks a query of `hold_when:` for its one number, in a transaction that can write nothing. */
export async function senseDeclared(
  client: PgClient,
  name: string,
  query: string,
): Promise<{ readonly value: number | null; readonly reason: string }> {
  const it = `hold_when ${name}`;
  try {
    await client.query('BEGIN READ ONLY');
    // At most two rows: what answers with a million is wrong, and none of our memory's business.
    const { rows, fields } = await client.query<unknown[]>({
      text: `SELECT * FROM (${query}\n) AS declared LIMIT 2`,
      rowMode: 'array',
    });
    const [type] = fields.map(({ dataTypeID }) => dataTypeID);
    if (fields.length !== 1 || rows.length !== 1)
      return unknown(
        `${it} answers with ${rows.length > 1 ? 'more than one row' : `${rows.length} rows of ${fields.length} columns`}, and must with one number`,
      );
    if (type === undefined || !NUMBERS.has(type)) return unknown(`${it} answers with what is no number: cast it`);
    const [[value] = []] = rows;
    if (value === null) return unknown(`${it} answers with NULL`);
    const number = Number(value);
    return known(number, `${it} is ${number}`);
  } catch (error) {
    return unknown(`${it} could not be read: ${faultOf(error, 'warehouse').message}`);
  } finally {
    await client.query('ROLLBACK').catch(() => undefined);
  }
}
