/**
 * The governor on a real PostgreSQL: `pgbench` at a steady rate is the foreground, a backfill of short batches (0.1 s of CPU each) works beside it.
 *
 *     npm run build && node --import tsx bench/governor.ts [ROUNDS] [SECONDS] [PER_SECOND]
 *
 * On servers of its own. `pgbench` must be on PATH. A round is A/B/C/A: the foreground alone, beside `law: adaptive`, beside 8 slots without a
 * governor, alone again; p95 is against the mean of both A's of its round. Then the foreground doubles; then it is gone.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type pg from 'pg';
import { quantile } from '../src/core/throttle/quantile.js';
import { clientOf, numberOf, projectYaml } from '../test/support/backfills.js';
import { eventually } from '../test/support/eventually.js';
import type { Stack } from '../test/support/stack.js';
import { withStack } from './lib/engine.js';
import { markdownTable, median } from './lib/figures.js';
import { fillPgbench, foreground, type Transaction } from './lib/pgbench.js';

const CORES = 2;
const BUDGETS = {
  adaptive: `{ slots: 8, law: adaptive, cores: ${CORES} }`,
  'uncapped (8 slots)': '{ slots: 8 }',
  'looked at, not slowed': '{ slots: 8, hold_when: [{ name: none, query: "SELECT 0", above: 1 }] }',
  'one slot': '{ slots: 1 }',
} as const;
type Law = keyof typeof BUDGETS;

const WORK = `/*
grain: hour
time: at
*/
SELECT d AS at, (SELECT sum(sqrt(i + extract(epoch FROM d)::float8)) FROM generate_series(1, 300000) AS i) AS n
FROM generate_series(:start, :end - interval '1 hour', interval '1 hour') d
`;

interface Bench {
  readonly stack: Stack;
  readonly warehouse: pg.Client;
  readonly url: string;
  readonly seconds: number;
}

/** What a stretch of time came to. */
interface Stretch {
  readonly transactions: readonly Transaction[];
  readonly batchesPerSecond: number;
}

const p95 = (transactions: readonly Transaction[]): number =>
  quantile(
    transactions.map(({ ms }) => ms),
    0.95,
  );

/** Puts a budget into force, or holds all work; back when it is. */
async function under({ stack, warehouse }: Bench, law: Law | 'alone'): Promise<void> {
  const { code, err } = await stack.sluice(['warehouse', law === 'alone' ? 'hold' : 'release', '-p', 'kept']);
  if (code !== 0) throw new Error(err);
  if (law !== 'alone') write(stack, law);
  const WORKING = `SELECT count(*) AS n FROM pg_stat_activity WHERE state = 'active' AND application_name ~ '^sluice/[0-9]'`;
  if (law === 'alone') {
    await eventually('nothing runs', async () => (await numberOf(warehouse, WORKING)) === 0, 20_000);
    return;
  }
  const governed = law === 'adaptive' || law === 'looked at, not slowed';
  await eventually(
    law,
    async () => {
      const { rows } = await warehouse.query<{ governed: boolean; slots: number; cause: string | null }>(
        `SELECT f.governed, f.slots, g.cause FROM sluice.in_force f LEFT JOIN sluice.governors g USING (database)
         WHERE f.connection = 'warehouse' AND NOT f.silent`,
      );
      const [row] = rows;
      return (
        row?.governed === governed &&
        row.slots > 0 &&
        (!governed || !['calibrating', 'recovering'].includes(row.cause ?? ''))
      );
    },
    60_000,
  );
  await eventually('it works', async () => (await numberOf(warehouse, WORKING)) > 0, 20_000);
}

function write(stack: Stack, law: Law): void {
  writeFileSync(join(stack.dir, 'kept/sluice.yaml'), projectYaml('kept', { budget: BUDGETS[law] }));
}

async function published(warehouse: pg.Client): Promise<number> {
  return numberOf(warehouse, 'SELECT count(*) AS n FROM sluice.partitions');
}

async function measure({ warehouse, url, seconds }: Bench, perSecond: number): Promise<Stretch> {
  const [before, began] = [await published(warehouse), performance.now()];
  const transactions = await foreground(url, perSecond, seconds);
  const batches = (await published(warehouse)) - before;
  return { transactions, batchesPerSecond: batches / ((performance.now() - began) / 1000) };
}

async function rounds(bench: Bench, count: number, perSecond: number): Promise<string> {
  const laws: readonly Law[] = ['adaptive', 'one slot', 'uncapped (8 slots)'];
  const found = new Map<string, { ratios: number[]; rates: number[]; shares: number[] }>();
  const note = (name: string, ratio: number, rate: number, share: number): void => {
    const { ratios, rates, shares } = found.get(name) ?? { ratios: [], rates: [], shares: [] };
    found.set(name, { ratios: [...ratios, ratio], rates: [...rates, rate], shares: [...shares, share] });
  };
  for (let round = 1; round <= count; round++) {
    await under(bench, 'alone');
    const first = p95((await measure(bench, perSecond)).transactions);
    const stretches: [string, Stretch][] = [];
    for (const law of laws) {
      await under(bench, law);
      stretches.push([law, await measure(bench, perSecond)]);
    }
    await under(bench, 'alone');
    const last = p95((await measure(bench, perSecond)).transactions);
    const base = (first + last) / 2;
    const most = stretches.at(-1)?.[1].batchesPerSecond ?? NaN;
    note('alone again / alone', last / first, 0, 0);
    for (const [law, { transactions, batchesPerSecond }] of stretches)
      note(law, p95(transactions) / base, batchesPerSecond, batchesPerSecond / most);
    console.error(`round ${round}: p95 alone ${first.toFixed(1)} and ${last.toFixed(1)} ms`);
  }
  return markdownTable(
    ['foreground beside', 'p95 / alone', 'batches a second', 'of uncapped'],
    [...found].map(([name, { ratios, rates, shares }]) => [
      name,
      `${median(ratios).toFixed(2)} (${ratios.map((one) => one.toFixed(2)).join(', ')})`,
      median(rates).toFixed(1),
      `${(100 * median(shares)).toFixed(0)} %`,
    ]),
  );
}

/** A doubled foreground: seconds from there until its p95, a second at a time, is back under 1.5 of what it is alone. */
async function step(bench: Bench, perSecond: number): Promise<string> {
  await under(bench, 'alone');
  const alone = await foreground(bench.url, 2 * perSecond, bench.seconds);
  await under(bench, 'adaptive');
  await foreground(bench.url, perSecond, 5);
  const late = secondsOver(await foreground(bench.url, 2 * perSecond, bench.seconds), 1.5 * p95(alone));
  const noise = secondsOver(alone, 1.5 * p95(alone));
  const back = late.filter((s, i) => s === i).length;
  return `foreground × 2: p95 back under 1.5 × alone after ${back} s; over it in seconds [${late.join(', ')}], alone in [${noise.join(', ')}]`;
}

/** Which seconds, counted from the first transaction, have a p95 over a bound. */
function secondsOver(transactions: readonly Transaction[], bound: number): number[] {
  const began = Math.min(...transactions.map(({ at }) => at));
  const second = ({ at }: Transaction): number => Math.floor((at - began) / 1000);
  return [...new Set(transactions.map(second))]
    .filter((s) => p95(transactions.filter((one) => second(one) === s)) > bound)
    .toSorted((a, b) => a - b);
}

/** Without any foreground: what looking costs. */
async function idle(bench: Bench): Promise<string> {
  const rate = async (law: Law): Promise<number> => {
    await under(bench, law);
    const [before, began] = [await published(bench.warehouse), performance.now()];
    const until = began + bench.seconds * 1000;
    await eventually('the stretch ends', () => performance.now() > until, bench.seconds * 1000 + 1_000);
    return ((await published(bench.warehouse)) - before) / ((performance.now() - began) / 1000);
  };
  const [first, on, last, adaptive] = [
    await rate('uncapped (8 slots)'),
    await rate('looked at, not slowed'),
    await rate('uncapped (8 slots)'),
    await rate('adaptive'),
  ];
  const off = (first + last) / 2;
  return `no foreground: governor off / on ${(off / on).toFixed(3)} (off twice: ${(last / first).toFixed(3)}); adaptive ${((100 * adaptive) / off).toFixed(0)} % of uncapped`;
}

async function run(stack: Stack, count: number, seconds: number, perSecond: number): Promise<void> {
  const [url, warehouse] = [await stack.url('warehouse'), await stack.connect('warehouse')];
  await fillPgbench(url);
  stack.project('kept', {
    'sluice.yaml': projectYaml('kept', { budget: BUDGETS.adaptive }),
    'datasets/work.sql': WORK,
  });
  await stack.worker(join(stack.dir, 'kept'), ['--watch']);
  const client = await clientOf(stack, 'kept');
  const bench = { stack, warehouse, url, seconds };
  await client.start({ from: '2024-01-01', to: '2026-01-01', select: ['work'] }, { id: 'bench' });
  await under(bench, 'adaptive');
  console.log(await rounds(bench, count, perSecond));
  console.log(await step(bench, perSecond));
  console.log(await idle(bench));
  await client.cancel('bench');
  await client.close();
}

async function main([count = '2', seconds = '10', perSecond = '100']: readonly string[]): Promise<void> {
  await withStack((stack) => run(stack, Number(count), Number(seconds), Number(perSecond)));
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) await main(process.argv.slice(2));
