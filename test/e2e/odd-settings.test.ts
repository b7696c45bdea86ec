/** Settings of a database or a role under which the same SQL would mean something else: sluice's sessions do not follow them. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import pg from 'pg';
import { createPool } from '../../src/postgres/pool.js';
import { openStore, rowsOf } from '../../src/store/store.js';
import { startPostgresOnly, type OnlyPostgres } from '../support/only-postgres.js';

const ODD: Readonly<Record<string, string>> = {
  standard_conforming_strings: 'off',
  escape_string_warning: 'off',
  transform_null_equals: 'on',
  timezone_abbreviations: 'India',
  gin_fuzzy_search_limit: '1',
  default_transaction_isolation: 'serializable',
  synchronous_commit: 'off',
  DateStyle: 'SQL, DMY',
  TimeZone: 'Asia/Kolkata',
  search_path: 'nowhere',
  quote_all_identifiers: 'on',
};

/** Each differs under one of {@link ODD}. */
const MEANS = `SELECT length('a\\\\b') AS backslash, NULL = NULL AS nulls, '2024-01-01 12:00 IST'::timestamptz::text AS zone,
  current_setting('gin_fuzzy_search_limit') AS fuzzy, current_setting('synchronous_commit') AS durable,
  current_setting('transaction_isolation') AS isolation, current_setting('DateStyle') AS dates`;
const MEANT = {
  backslash: 4,
  nulls: null,
  zone: '2024-01-01 10:00:00+00',
  fuzzy: '0',
  durable: 'on',
  isolation: 'read committed',
  dates: 'ISO, YMD',
};

let server: OnlyPostgres;
let url: string;
before(async () => {
  server = await startPostgresOnly();
  url = await server.url('odd');
  const db = new pg.Client({ connectionString: url });
  await db.connect();
  for (const [name, value] of Object.entries(ODD)) await db.query(`ALTER DATABASE odd SET ${name} = '${value}'`);
  await db.end();
});
after(() => server.stop());

test('SQL means the same whatever the database says, and a commit that is off is not left so', async () => {
  const pool = createPool(() => Promise.resolve(url), 1);
  try {
    const { rows } = await pool.use((client) => client.query<typeof MEANT>(MEANS));
    assert.deepEqual(rows, [MEANT]);
  } finally {
    await pool.close();
  }
});

test('the store is made, and read, under an isolation and a calendar that are not its own', async () => {
  const db = await openStore(() => Promise.resolve(url), 'warehouse');
  try {
    const [row] = await rowsOf<{ isolation: string; at: unknown; durable: string }>(
      db,
      `SELECT current_setting('transaction_isolation') AS isolation, current_setting('synchronous_commit') AS durable, migration_time AS at
       FROM sluice.migrations ORDER BY id LIMIT 1`,
    );
    assert.deepEqual([row?.isolation, row?.durable, row?.at instanceof Date], ['read committed', 'on', true]);
  } finally {
    await db.destroy();
  }
});

test('another way to commit than off is left as it is', async () => {
  const db = new pg.Client({ connectionString: url });
  await db.connect();
  await db.query(`ALTER DATABASE odd SET synchronous_commit = 'local'`);
  await db.end();
  const pool = createPool(() => Promise.resolve(url), 1);
  try {
    const { rows } = await pool.use((client) => client.query('SHOW synchronous_commit'));
    assert.deepEqual(rows, [{ synchronous_commit: 'local' }]);
  } finally {
    await pool.close();
  }
});
