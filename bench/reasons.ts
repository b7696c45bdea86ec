/**
 * Whether what the governor says is what is wrong: faults on a real PostgreSQL, one after another, and the part of the seconds of each in which the shown
 * cause and reading were those of the fault.
 *
 *     npm run build && node --import tsx bench/reasons.ts [SECONDS] [PART OF A FAULT'S NAME]
 *
 * On servers of its own, with a replica. `pgbench` must be on PATH. A fault's seconds begin when it can be seen from outside, and what it takes
 * the governor to notice it counts against it.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import pg from 'pg';
import { clientOf, numberOf, projectYaml, sleeper } from '../test/support/backfills.js';
import { eventually } from '../test/support/eventually.js';
import { governorStands, type GovernorRow } from '../test/support/governed.js';
import { startReplica, type Replica } from '../test/support/replica.js';
import { restartWithArchive, setServer, writeSegments } from '../test/support/server-settings.js';
import type { Stack } from '../test/support/stack.js';
import { withStack } from './lib/engine.js';
import { markdownTable } from './lib/figures.js';
import { fillPgbench, foreground } from './lib/pgbench.js';

const LOOK_MS = 200;
/** A database of so many cores bears four of ours, and two at most beside the load of the step, which is one backend in the mean: the law is to say so all of the time. */
const BUDGET = '{ slots: 4, cores: 4, law: adaptive }';

interface Scene {
  readonly stack: Stack;
  readonly admin: pg.Client;
  readonly replica: Replica;
  readonly seconds: number;
}

interface Fault {
  readonly name: string;
  /** Its reading, as it is shown; null: a cause of the law. */
  readonly reading: string | null;
  readonly causes: readonly string[];
  /** Begins, settles when it can be seen, and answers what ends it. */
  readonly begin: (scene: Scene) => Promise<() => Promise<unknown>>;
}

const STOPPED = ['stop', 'critical', 'recovering'];

const FAULTS: readonly Fault[] = [
  {
    name: 'a replica that has stopped replaying',
    reading: 'lag_seconds',
    causes: STOPPED,
    begin: async ({ replica, admin }) => {
      const standby = new pg.Client({ connectionString: replica.url('warehouse') });
      await standby.connect();
      await standby.query('SELECT pg_wal_replay_pause()');
      const lag = `SELECT coalesce(extract(epoch FROM max(replay_lag)), 0)::float8 AS n FROM pg_stat_replication`;
      await eventually('it is 5 s behind', async () => (await numberOf(admin, lag)) > 5, 60_000);
      return async () => {
        // What it replays then may end this very statement.
        await standby.query('SELECT pg_wal_replay_resume()').catch(() => undefined);
        await standby.end();
      };
    },
  },
  {
    name: 'somebody who waits for a lock of ours, again and again',
    reading: 'blocked',
    causes: STOPPED,
    begin: async ({ stack, admin }) => {
      const waiter = await stack.connect('warehouse');
      const end = new AbortController();
      const waiting = (async () => {
        while (!end.signal.aborted) {
          await waiter.query('BEGIN; LOCK TABLE reasons.brief; COMMIT').catch(() => undefined);
        }
      })();
      const waits = `SELECT count(*) AS n FROM pg_stat_activity WHERE cardinality(pg_blocking_pids(pid)) > 0 AND application_name !~ '^sluice'`;
      await eventually('it waits', async () => (await numberOf(admin, waits)) > 0, 60_000, 20);
      return async () => {
        end.abort();
        await waiting;
      };
    },
  },
  {
    name: 'WAL that is not archived',
    reading: 'archive',
    causes: STOPPED,
    begin: async ({ admin }) => {
      await setServer(admin, { archive_command: 'false' });
      await writeSegments(admin, 44);
      return () => setServer(admin, { archive_command: 'true' });
    },
  },
  {
    name: 'a step of load: 300 transactions of 3 ms a second',
    reading: null,
    causes: ['foreground', 'latency'],
    begin: async ({ stack, admin, seconds }) => {
      const load = foreground(await stack.url('warehouse'), 300, seconds + 10);
      const comes = `SELECT count(*) AS n FROM pg_stat_activity WHERE application_name = 'pgbench' AND state = 'active'`;
      await eventually('it comes', async () => (await numberOf(admin, comes)) > 0, 60_000, 20);
      return () => load;
    },
  },
  {
    name: 'statistics that are switched off',
    reading: 'foreground',
    causes: ['unknown'],
    begin: async ({ admin }) => {
      await setServer(admin, { track_activities: 'off' });
      return () => setServer(admin, { track_activities: 'on' });
    },
  },
];

/** It works as if nothing were wrong. */
async function calm({ admin }: Scene): Promise<void> {
  await governorStands(admin, 'all is well', ({ slots, cause }) => slots > 0 && cause === 'free', 120_000);
}

async function suffer(scene: Scene, { reading, causes, begin }: Fault): Promise<{ right: number; others: string[] }> {
  await calm(scene);
  const end = await begin(scene);
  const began = performance.now();
  /** What else was shown: how often, and when last, in seconds. */
  const others = new Map<string, { times: number; last: number }>();
  let [looks, right] = [0, 0];
  while (performance.now() < began + scene.seconds * 1000) {
    const { rows } = await scene.admin.query<GovernorRow>('SELECT * FROM sluice.governors');
    const [row] = rows;
    looks++;
    if (row && causes.includes(row.cause) && (reading === null || row.reading === reading)) right++;
    else {
      const shown = `${row?.cause} ${row?.reading ?? ''}`.trim();
      others.set(shown, { times: (others.get(shown)?.times ?? 0) + 1, last: (performance.now() - began) / 1000 });
    }
    await sleep(LOOK_MS);
  }
  await end();
  const words = [...others].map(
    ([shown, { times, last }]) => `${shown} (${times} of ${looks} looks, until ${last.toFixed(1)} s)`,
  );
  return { right: right / looks, others: words };
}

async function bench(stack: Stack, seconds: number, named: string): Promise<void> {
  const admin = await restartWithArchive(stack);
  await fillPgbench(await stack.url('warehouse'));
  const replica = await startReplica(stack, admin, stack.dev.info().postgresUrl);
  const project = stack.project('reasons', {
    'sluice.yaml': projectYaml('reasons', { budget: BUDGET }),
    ...sleeper('brief', '3'),
  });
  await stack.worker(project);
  const client = await clientOf(stack, 'reasons');
  await client.start({ select: ['brief'], from: '2024-01-01', to: '2026-11-01' }, { id: 'brief' });
  const rows: string[][] = [];
  for (const fault of FAULTS.filter(({ name }) => name.includes(named))) {
    const { right, others } = await suffer({ stack, admin, replica, seconds }, fault);
    rows.push([fault.name, `${(100 * right).toFixed(1)} %`, others.join(', ')]);
    console.error(rows.at(-1)?.join(' | '));
  }
  console.log(markdownTable(['fault', 'shown as it is', 'else shown'], rows));
  await client.close();
  await replica.stop();
}

async function main([seconds = '40', named = '']: readonly string[]): Promise<void> {
  await withStack((stack) => bench(stack, Number(seconds), named));
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) await main(process.argv.slice(2));
