/**
 * Moves the matrix of types between PostgreSQL servers of any versions, each to each, as an extract does, and compares what both sides
 * print: `node --import tsx bench/types-across.ts postgres://… postgres://…`. Makes and drops a schema `sluice_types` on each.
 */
import { copyAcross } from '../src/postgres/copy.js';
import { createPool, type PgClient, type Pool } from '../src/postgres/pool.js';
import { quoteIdent, quoteLiteral } from '../src/postgres/quote.js';
import { describeSource, movesInBinary } from '../src/source/postgres/describe.js';
import { copyOutSql, isBinary } from '../src/source/postgres/extract.js';
import { MATRIX } from '../test/e2e/types-matrix.js';

const TABLE = { schema: 'sluice_types', name: 'source' };
const ARRIVED = 'sluice_types.arrived';

/** What became of a type: `same`, `refused` with PostgreSQL's words where the target has no such type or value, or `DIFFERS`. */
async function move(source: PgClient, target: PgClient, type: string): Promise<string> {
  await source.query('DROP TABLE IF EXISTS sluice_types.source');
  await source.query(`CREATE TABLE sluice_types.source (id int, v ${type}, "all" ${type}[])`);
  for (const [i, value] of (MATRIX[type] ?? []).entries()) {
    const typed = `${quoteLiteral(value)}::${type}`;
    await source
      .query(`INSERT INTO sluice_types.source VALUES (${i}, ${typed}, ARRAY[${typed}, NULL])`)
      .catch(() => undefined);
  }
  for (const names of [
    ['id', 'v'],
    ['id', 'v', 'all'],
  ]) {
    const query = `SELECT ${names.map(quoteIdent).join(', ')} FROM sluice_types.source`;
    const described = await describeSource(source, { query, params: [] });
    const columns = described.map((column) => ({
      ...column,
      binary: movesInBinary(column.type),
      cast: column.cast ? column.type : undefined,
    }));
    const spec = { kind: 'extract' as const, connection: '', query, params: [], columns };
    await target.query(`DROP TABLE IF EXISTS ${ARRIVED}`);
    await target.query(
      `CREATE TABLE ${ARRIVED} (${columns.map((one) => `${quoteIdent(one.name)} ${one.type}`).join(', ')})`,
    );
    const out = copyOutSql(spec, { start: '-infinity', end: 'infinity' });
    await copyAcross(
      { client: source, sql: out },
      { client: target, sql: `COPY ${ARRIVED} FROM STDIN${isBinary(spec) ? ' WITH (FORMAT binary)' : ''}` },
    );
    const content = async (client: PgClient, relation: string): Promise<unknown> =>
      (await client.query<{ t: string }>(`SELECT string_agg(t::text, '|' ORDER BY id) AS t FROM ${relation} t`)).rows[0]
        ?.t;
    if ((await content(source, `(${query})`)) !== (await content(target, ARRIVED))) return 'DIFFERS';
  }
  return 'same';
}

async function across(from: Pool, to: Pool): Promise<Map<string, string>> {
  const outcomes = new Map<string, string>();
  for (const type of Object.keys(MATRIX)) {
    // Own connections: a COPY that fails closes both.
    const outcome = await from
      .use((source) => to.use((target) => move(source, target, type)))
      .catch((error: unknown) => `refused: ${error instanceof Error ? error.message : String(error)}`);
    outcomes.set(type, outcome);
  }
  return outcomes;
}

const pools = process.argv.slice(2).map((url) => createPool(() => Promise.resolve(url), 2));
const version = (pool: Pool): Promise<string> =>
  pool.use(
    async (client) =>
      (await client.query<{ server_version: string }>('SHOW server_version')).rows[0]?.server_version ?? '',
  );
try {
  for (const pool of pools) await pool.use((client) => client.query(`CREATE SCHEMA IF NOT EXISTS ${TABLE.schema}`));
  for (const from of pools) {
    for (const to of pools.filter((pool) => pool !== from)) {
      const outcomes = await across(from, to);
      const same = [...outcomes.values()].filter((outcome) => outcome === 'same').length;
      process.stdout.write(
        `${await version(from)} to ${await version(to)}: ${same} of ${outcomes.size} types the same\n`,
      );
      for (const [type, outcome] of outcomes) if (outcome !== 'same') process.stdout.write(`  ${type}: ${outcome}\n`);
      if ([...outcomes.values()].includes('DIFFERS')) process.exitCode = 1;
    }
  }
} finally {
  for (const pool of pools)
    await pool.use((client) => client.query(`DROP SCHEMA ${TABLE.schema} CASCADE`)).catch(() => undefined);
  for (const pool of pools) await pool.close();
}
