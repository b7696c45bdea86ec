/**
 * Two backfills at once: how evenly they share the slots of a warehouse, as Jain's index of the slot seconds that each had while both ran
 * (1 is even, 0.5 is all to one). The second one starts seconds after the first, where users' start minutes apart: statements only sleep, so that
 * a second shows as much of the order as a minute would.
 *
 *     npm run build && node --import tsx bench/fairness.ts [SECONDS] [CASE…]
 */
import { pathToFileURL } from 'node:url';
import type { BackfillClient } from '../src/client/index.js';
import { clientOf, numberOf } from '../test/support/backfills.js';
import { eventually } from '../test/support/eventually.js';
import type { Stack } from '../test/support/stack.js';
import { withStack } from './lib/engine.js';
import { markdownTable } from './lib/figures.js';

const SLOTS = 4;
const BETWEEN_MS = 3_000;
const LOOK_MS = 50;

/** A row an hour, after a sleep. */
function work(seconds: number, from = ''): string {
  return `/*\ntime: at\ncoalesce: never\n*/\nSELECT :start AS at, :end AS until, pg_sleep(${seconds})::text AS slept${from}\n`;
}

const reading = (name: string): string => ` FROM ${name} i WHERE i.at >= :start AND i.at < :end`;

function project(name: string): Record<string, string> {
  return {
    'sluice.yaml': `project: ${name}
connections:
  warehouse: { type: postgres, url: "embedded:warehouse", budget: { slots: ${SLOTS} } }
warehouse: warehouse
schema: ${name}
defaults: { grain: hour, start: 2020-01-01 }
`,
    'datasets/short.sql': work(0.05),
    'datasets/same.sql': work(0.05),
    'datasets/long.sql': work(1),
    'datasets/one.sql': work(0.05),
    'datasets/two.sql': work(0.05, reading('one')),
    'datasets/three.sql': work(0.05, reading('two')),
    'datasets/four.sql': work(0.05, reading('three')),
  };
}

type Request = Parameters<BackfillClient['start']>[0];

interface Side {
  readonly project: string;
  readonly request: Request;
}

const side = (select: string, more: Partial<Request> = {}, of = 'first'): Side => ({
  project: of,
  request: { from: '2020-01-01', to: '2022-01-01', select: [select], ...more },
});

const CASES: Readonly<Record<string, readonly [Side, Side]>> = {
  alike: [side('short'), side('same')],
  'one dataset, a chain of four': [side('short'), side('+four')],
  'batches of 0.05 s, of 1 s': [side('short'), side('long')],
  'of two projects': [side('short'), side('short', {}, 'second')],
  'priority 1, priority 5': [side('short', { priority: 1 }), side('same', { priority: 5 })],
};

/** Slot seconds of every backfill's epoch, over a stretch of time. */
async function held(stack: Stack, seconds: number): Promise<Map<string, number>> {
  const warehouse = await stack.connect('warehouse');
  const slotSeconds = new Map<string, number>();
  const until = performance.now() + seconds * 1000;
  for (let last = performance.now(); last < until;) {
    await new Promise((done) => setTimeout(done, LOOK_MS));
    const now = performance.now();
    const { rows } = await warehouse.query<{ epoch: string; slots: number }>(
      `SELECT split_part(a.application_name, '/', 2) AS epoch, count(*)::int AS slots FROM pg_stat_activity a
       WHERE a.application_name ~ '^sluice/[0-9]+/[0-9]+/' AND a.wait_event = 'PgSleep' GROUP BY 1`,
    );
    for (const { epoch, slots } of rows)
      slotSeconds.set(epoch, (slotSeconds.get(epoch) ?? 0) + (slots * (now - last)) / 1000);
    last = now;
  }
  return slotSeconds;
}

export function jain(shares: readonly number[]): number {
  const sum = shares.reduce((total, one) => total + one, 0);
  return sum ** 2 / (shares.length * shares.reduce((total, one) => total + one ** 2, 0));
}

async function compare(stack: Stack, name: string, sides: readonly [Side, Side], seconds: number): Promise<string[]> {
  const warehouse = await stack.connect('warehouse');
  const clients = await Promise.all(sides.map((one) => clientOf(stack, one.project)));
  const ids = sides.map((_, i) => `${name.replace(/[^a-z0-9]/g, '-')}-${i}`);
  const epochs: string[] = [];
  for (const [i, { project, request }] of sides.entries()) {
    const [client, id = ''] = [clients[i], ids[i]];
    await client?.start({ ...request, rebuild: 'all' }, { id });
    const { epoch } = await eventually(`${id} works`, async () => {
      const { rows } = await warehouse.query<{ epoch: string }>(
        `SELECT r.epoch::text AS epoch FROM sluice.reservations r WHERE r.project = $1 AND r.backfill_id = $2 LIMIT 1`,
        [project, id],
      );
      return rows[0] ?? false;
    });
    epochs.push(epoch);
    await new Promise((done) => setTimeout(done, BETWEEN_MS));
  }
  const slotSeconds = await held(stack, seconds);
  const shares = epochs.map((epoch) => slotSeconds.get(epoch) ?? 0);
  for (const [i, client] of clients.entries()) await client.cancel(ids[i] ?? '');
  await eventually(
    'all is over',
    async () => (await numberOf(warehouse, 'SELECT count(*) AS n FROM sluice.reservations')) === 0,
  );
  for (const client of clients) await client.close();
  const used = shares.reduce((sum, one) => sum + one, 0) / (seconds * SLOTS);
  return [name, ...shares.map((one) => one.toFixed(1)), `${(100 * used).toFixed(0)} %`, jain(shares).toFixed(3)];
}

async function main([seconds = '15', ...names]: readonly string[]): Promise<void> {
  await withStack(async (stack) => {
    for (const name of ['first', 'second']) await stack.worker(stack.project(name, project(name)));
    const rows: string[][] = [];
    for (const [name, sides] of Object.entries(CASES)) {
      if (names.length === 0 || names.includes(name)) rows.push(await compare(stack, name, sides, Number(seconds)));
      console.error(rows.at(-1)?.join(' | '));
    }
    console.log(
      markdownTable(['two backfills', 'slot s of the first', 'of the second', 'slots used', "Jain's index"], rows),
    );
  });
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) await main(process.argv.slice(2));
