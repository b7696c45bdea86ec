/** Types of a source that the warehouse lacks, or refuses the modifier of. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import pg from 'pg';
import { asHeld } from '../../src/planning/held-types.js';
import { openScratch } from '../../src/planning/scratch.js';
import { createPool, type Pool } from '../../src/postgres/pool.js';
import { startPostgresOnly, type OnlyPostgres } from '../support/only-postgres.js';

let server: OnlyPostgres;
let pool: Pool;
before(async () => {
  server = await startPostgresOnly();
  const url = await server.url('held');
  pool = createPool(() => Promise.resolve(url), 1);
});
after(async () => {
  await pool.close();
  await server.stop();
});

test('what the warehouse lacks arrives as text, what it only refuses in part without that part, all else as it is', async () => {
  const types: readonly (readonly [source: string, held: string])[] = [
    ['integer', 'integer'],
    ['numeric(10,2)', 'numeric(10,2)'],
    ['jsonb', 'jsonb'],
    ['interval(3)[]', 'interval(3)[]'],
    ['vector2040', 'text'],
    ['vector2040(3)[]', 'text[]'],
    ['numeric(5000,2)', 'numeric'],
    ['numeric(5000,2)[]', 'numeric[]'],
  ];
  const columns = types.map(([type], i) => ({ name: `c${i}`, type, cast: false, nullable: true }));
  await pool.use(async (client) => {
    await client.query('BEGIN');
    const held = await asHeld(openScratch(client), columns);
    assert.deepEqual(
      held.map(({ type, cast }) => [type, cast]),
      types.map(([source, type]) => [type, source !== type]),
    );
    // The transaction goes on, though some were refused in it.
    assert.ok((await client.query('SELECT 1')) instanceof pg.Result);
    await client.query('ROLLBACK');
  });
});
