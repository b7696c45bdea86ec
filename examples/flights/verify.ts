import { createHash } from 'node:crypto';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import pg from 'pg';
import { to as copyTo } from 'pg-copy-streams';
import { EXPECTED, type Expected } from './expected.js';

export interface VerifyOptions {
  /** Database that `loadSource` filled. */
  readonly sourceUrl: string;
  readonly warehouseUrl: string;
  /** Schema of the tables in the warehouse (`analytics`). */
  readonly schema?: string;
  /** Datasets to look at (all). */
  readonly datasets?: readonly string[];
}

export interface DatasetReport {
  readonly name: string;
  /** Rows of the table in the warehouse. */
  readonly rows: number;
  readonly ok: boolean;
  /** Where it is not: the first rows that differ, or why the table could not be read. */
  readonly difference?: string;
}

export interface VerifyReport {
  readonly ok: boolean;
  readonly datasets: readonly DatasetReport[];
}

/** Rows shown on either side of a difference. */
const SHOWN_MAX = 3;
/** Rows that wait for their twin before the search is given up: two tables with nothing in common must fit in memory. */
const UNMATCHED_MAX = 20_000;

/**
 * Compares the warehouse with the source, table by table and row by row: as ordered CSV, column names included.
 * Reads only. The whole year must have been built.
 */
export async function verify(options: VerifyOptions): Promise<VerifyReport> {
  const { schema = 'analytics', datasets: only } = options;
  const unknown = only?.filter((name) => !EXPECTED.some((expected) => expected.name === name)) ?? [];
  if (unknown.length > 0) throw new Error(`no dataset of this example: ${unknown.join(', ')}`);
  const source = await open(options.sourceUrl);
  try {
    const warehouse = await open(options.warehouseUrl);
    try {
      const datasets: DatasetReport[] = [];
      for (const expected of EXPECTED) {
        if (only?.includes(expected.name) ?? true) datasets.push(await compare(source, warehouse, schema, expected));
      }
      return { ok: datasets.every(({ ok }) => ok), datasets };
    } finally {
      await warehouse.end();
    }
  } finally {
    await source.end();
  }
}

/** One line a dataset, and below it what differs. */
export function formatReport({ datasets }: VerifyReport): string {
  return datasets
    .map(({ name, rows, ok, difference }) => {
      const line = `${ok ? 'ok  ' : 'FAIL'} ${name.padEnd(16)} ${rows.toLocaleString('en-US').padStart(9)} rows`;
      return difference === undefined ? line : `${line}\n${difference.replace(/^/gm, '     ')}`;
    })
    .join('\n');
}

async function open(connectionString: string): Promise<pg.Client> {
  // One output format on both sides, whatever the two databases have as defaults.
  const options = '-c TimeZone=UTC -c DateStyle=ISO -c work_mem=64MB -c jit=off -c default_transaction_read_only=on';
  const client = new pg.Client({ connectionString, options, application_name: 'examples/flights verify' });
  await client.connect();
  return client;
}

async function compare(
  source: pg.Client,
  warehouse: pg.Client,
  schema: string,
  { name, sql, order }: Expected,
): Promise<DatasetReport> {
  const table = `${pg.escapeIdentifier(schema)}.${pg.escapeIdentifier(name)}`;
  const expected = `COPY (SELECT * FROM (${sql}) AS expected ORDER BY ${order}) TO STDOUT (FORMAT csv, HEADER)`;
  const actual = `COPY (SELECT * FROM ${table} ORDER BY ${order}) TO STDOUT (FORMAT csv, HEADER)`;
  const [want, have] = await Promise.allSettled([
    digest(source.query(copyTo(expected))),
    digest(warehouse.query(copyTo(actual))),
  ]);
  if (want.status === 'rejected') throw want.reason;
  if (have.status === 'rejected') return { name, rows: 0, ok: false, difference: String(have.reason) };
  const { hash, rows } = have.value;
  if (hash === want.value.hash) return { name, rows, ok: true };
  const rowsShown = await firstDifferences(source.query(copyTo(expected)), warehouse.query(copyTo(actual)));
  const counts = want.value.rows === rows ? '' : `${want.value.rows} rows expected\n`;
  return { name, rows, ok: false, difference: `${counts}${rowsShown}` };
}

async function digest(rows: Readable): Promise<{ hash: string; rows: number }> {
  const hash = createHash('sha256');
  let lines = 0;
  for await (const chunk of rows as AsyncIterable<Buffer>) {
    hash.update(chunk);
    for (let at = chunk.indexOf(10); at !== -1; at = chunk.indexOf(10, at + 1)) lines += 1;
  }
  return { hash: hash.digest('hex'), rows: Math.max(0, lines - 1) };
}

/**
 * Rows that only one side has. A missing row shifts all that follow, so a row waits for its twin to turn up a little
 * later on the other side. Reads both to the end, so that the connections stay usable.
 */
async function firstDifferences(expected: Readable, actual: Readable): Promise<string> {
  const left = lineReader(expected);
  const right = lineReader(actual);
  const missing = new Set<string>();
  const unexpected = new Set<string>();
  for (;;) {
    const [want, have] = await Promise.all([left(), right()]);
    if (want === undefined && have === undefined) break;
    if (want === have || missing.size + unexpected.size > UNMATCHED_MAX) continue;
    if (want !== undefined && !unexpected.delete(want)) missing.add(want);
    if (have !== undefined && !missing.delete(have)) unexpected.add(have);
  }
  return [...shown('expected', missing), ...shown('found', unexpected)].join('\n');
}

function shown(label: string, rows: ReadonlySet<string>): readonly string[] {
  return [...rows].slice(0, SHOWN_MAX).map((row) => `${label.padEnd(8)} ${row}`);
}

function lineReader(rows: Readable): () => Promise<string | undefined> {
  const lines = createInterface({ input: rows, crlfDelay: Infinity })[Symbol.asyncIterator]();
  return async () => {
    const next = await lines.next();
    return next.done === true ? undefined : next.value;
  };
}
