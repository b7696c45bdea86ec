/**
 * Each kind of recommendation: what `sluice advise` predicts beside what it gains. A backfill runs, is asked for advice, its pace is measured; then
 * the advice is followed and the pace is measured again. Statements sleep, so that the cores of this machine matter as little as they can.
 *
 *     npm run build && node --import tsx bench/advice.ts [SECONDS] [KIND…]
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type pg from 'pg';
import { z } from 'zod';
import { ADVICE_CODES } from '../src/core/advice/types.js';
import { clientOf, numberOf } from '../test/support/backfills.js';
import { eventually } from '../test/support/eventually.js';
import type { Stack } from '../test/support/stack.js';
import { withStack } from './lib/engine.js';
import { markdownTable } from './lib/figures.js';

const Document = z.object({
  limit: z.object({ code: z.string(), message: z.string() }),
  advice: z.array(z.object({ code: z.enum(ADVICE_CODES), next: z.string(), gain: z.number() })),
});

const SLEEPS = `/*\ntime: at\ncoalesce: never\n*/\nSELECT :start AS at, :end AS until, pg_sleep(0.3)::text AS slept\n`;
const SCANS = `/*\ntime: at\ncoalesce: COALESCE\nreads: [public.events]\n*/
SELECT date_trunc('hour', e.at) AS at, count(*) AS n, max(length(e.filler)) AS most FROM public.events e WHERE e.at >= :start AND e.at < :end GROUP BY 1\n`;
const ITSELF = (
  seconds: number,
): string => `/*\ntime: at\ncolumns: { at: timestamptz, until: timestamptz, slept: text }\n*/
SELECT :start AS at, :end AS until, pg_sleep(${seconds})::text AS slept
FROM (SELECT count(*) AS n FROM work w WHERE w.at >= :start - interval '1 hour' AND w.at < :start) before\n`;
/** No index of a partitioned table keeps a key unique that is without the time it is partitioned by. */
const KEYED = (key: string): string =>
  `/*\ntime: at\ncoalesce: never\nkey: ${key}\nstorage: partitioned\n*/
SELECT :start AS at, extract(epoch FROM :start)::bigint AS id, :end AS until, pg_sleep(0.3)::text AS slept\n`;

interface Kind {
  readonly code: (typeof ADVICE_CODES)[number];
  readonly budget: string;
  readonly work: string;
  readonly more?: string;
  readonly start?: { readonly maxParallel: number };
  readonly worker?: readonly string[];
  /** What a person types before. */
  readonly first?: readonly string[];
  /** Follows the advice. A change of the dataset itself needs another backfill. */
  readonly follow: {
    readonly budget?: string;
    readonly more?: string;
    readonly work?: string;
    readonly command?: readonly string[];
    readonly worker?: readonly string[];
    readonly sql?: true;
  };
}

const KINDS: readonly Kind[] = [
  { code: 'more_slots', budget: '{ slots: 2 }', work: SLEEPS, follow: { budget: '{ slots: 4 }' } },
  {
    code: 'max_parallel',
    budget: '{ slots: 4 }',
    work: SLEEPS,
    start: { maxParallel: 1 },
    follow: { command: ['adjust', 'ID', '--max-parallel', '2'] },
  },
  { code: 'raise_rate', budget: '{ slots: 4, rate: 1 }', work: SLEEPS, follow: { budget: '{ slots: 4, rate: 2 }' } },
  {
    code: 'add_workers',
    budget: '{ slots: 4 }',
    work: SLEEPS,
    worker: ['--concurrency', '1'],
    follow: { worker: ['--concurrency', '1'] },
  },
  {
    code: 'pool_slots',
    budget: '{ slots: 4 }',
    more: 'pools: { heavy: { slots: 1 } }\n',
    work: SLEEPS.replace('time: at', 'time: at\npool: heavy'),
    follow: { more: 'pools: { heavy: { slots: 2 } }\n' },
  },
  {
    code: 'release',
    budget: '{ law: adaptive, slots: 4 }',
    work: SLEEPS,
    first: ['warehouse', 'limit', '1', 'warehouse', '--reason', 'bench'],
    follow: { command: ['warehouse', 'release', 'warehouse', '--reason', 'bench'] },
  },
  {
    code: 'serial_key',
    budget: '{ slots: 4 }',
    work: KEYED('[id]'),
    follow: { work: KEYED('[id, at]'), sql: true },
  },
  { code: 'reads_itself', budget: '{ slots: 4 }', work: ITSELF(0.3), follow: { work: ITSELF(0.15) } },
  {
    code: 'join',
    budget: '{ slots: 1 }',
    work: SCANS.replace('COALESCE', 'never'),
    follow: { work: SCANS.replace('COALESCE', 'auto') },
  },
  { code: 'add_index', budget: '{ slots: 1 }', work: SCANS.replace('COALESCE', 'never'), follow: { sql: true } },
];

function projectYaml(name: string, budget: string, more = ''): string {
  return `project: ${name}
connections:
  warehouse: { type: postgres, url: "embedded:warehouse", budget: ${budget} }
warehouse: warehouse
schema: ${name}
${more}defaults: { grain: hour, start: 2020-01-01 }
`;
}

/** Partitions a second. */
async function pace(warehouse: pg.Client, project: string, id: string, seconds: number): Promise<number> {
  const count = (): Promise<number> =>
    numberOf(warehouse, 'SELECT count(*) AS n FROM sluice.partitions WHERE project = $1 AND backfill_id = $2', [
      project,
      id,
    ]);
  const [before, began] = [await count(), performance.now()];
  await new Promise((done) => setTimeout(done, 1000 * seconds));
  return ((await count()) - before) / ((performance.now() - began) / 1000);
}

async function measure(stack: Stack, kind: Kind, seconds: number): Promise<string[]> {
  const { code, follow } = kind;
  const [name, warehouse] = [`of_${code}`, await stack.connect('warehouse')];
  await warehouse.query('DROP INDEX IF EXISTS events_at_idx');
  const dir = stack.project(name, {
    'sluice.yaml': projectYaml(name, kind.budget, kind.more),
    'datasets/work.sql': kind.work,
  });
  const workers = [await stack.worker(dir, ['--watch', ...(kind.worker ?? [])])];
  const client = await clientOf(stack, name);
  const run = async (id: string): Promise<void> => {
    // By the command, which registers the project as it is on disk: the worker may not have read it again yet.
    const range = ['--from', '2020-01-01', '--to', '2022-01-01', '--rebuild', 'all', '--id', id, '--local', '-p', dir];
    const parallel = kind.start ? ['--max-parallel', String(kind.start.maxParallel)] : [];
    const ran = await stack.sluice(['backfill', ...range, ...parallel]);
    if (ran.code !== 0) throw new Error(ran.err);
    await eventually(`${id} works`, async () => (await pace(warehouse, name, id, 1)) > 0, 60_000);
    await pace(warehouse, name, id, 3);
  };
  if (kind.first) await stack.sluice([...kind.first, '-p', dir]);
  await run('before');
  const ran = await stack.sluice(['advise', 'before', '-p', dir, '--json']);
  if (ran.code !== 0) throw new Error(ran.err);
  const { limit, advice } = Document.parse(ran.json());
  const found = advice.find((one) => one.code === code);
  const before = await pace(warehouse, name, 'before', seconds);
  if (follow.budget !== undefined || follow.more !== undefined)
    writeFileSync(join(dir, 'sluice.yaml'), projectYaml(name, follow.budget ?? kind.budget, follow.more ?? kind.more));
  if (follow.command)
    await stack.sluice([...follow.command.map((word) => (word === 'ID' ? 'before' : word)), '-p', dir]);
  if (follow.worker) workers.push(await stack.worker(dir, follow.worker));
  if (follow.sql && found) await warehouse.query(found.next.replace(/^.*in the warehouse: /, ''));
  const last = follow.work === undefined ? 'before' : 'after';
  if (follow.work !== undefined) {
    await client.cancel('before');
    writeFileSync(join(dir, 'datasets/work.sql'), follow.work);
    await run('after');
  } else await pace(warehouse, name, last, 8);
  const after = await pace(warehouse, name, last, seconds);
  await client.cancel(last);
  await client.close();
  for (const worker of workers) worker.kill();
  const [predicted, gained] = [found?.gain ?? NaN, after / before];
  const half = (gained - 1) / (predicted - 1);
  return [code, limit.code, predicted.toFixed(2), gained.toFixed(2), `${(100 * half).toFixed(0)} %`];
}

async function main([seconds = '8', ...kinds]: readonly string[]): Promise<void> {
  await withStack(async (stack) => {
    const warehouse = await stack.connect('warehouse');
    await warehouse.query(`CREATE TABLE events AS SELECT timestamptz '2020-01-01Z' + i * interval '1 minute' AS at, repeat('x', 100) AS filler
      FROM generate_series(1, 1000000) AS i`);
    await warehouse.query('VACUUM ANALYZE events');
    const rows: string[][] = [];
    for (const kind of KINDS) {
      if (kinds.length > 0 && !kinds.includes(kind.code)) continue;
      rows.push(await measure(stack, kind, Number(seconds)).catch((error: unknown) => [kind.code, String(error)]));
      console.error(rows.at(-1)?.join(' | '));
    }
    console.log(
      markdownTable(
        ['recommendation', 'said to be limited by', 'predicted gain', 'measured', 'of what was predicted'],
        rows,
      ),
    );
  });
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) await main(process.argv.slice(2));
