/** What goes wrong in a run: chosen by a seed, done to real processes, sessions and sockets. */
import { eventually } from '../support/eventually.js';
import { giveAway } from './give-away.js';
import type { Judge, Verdict } from './proxy.js';
import type { Lane } from './servers.js';
import { stallAtBegin } from './stuck.js';
import { isCommit, isCommitted, type Message } from './wire.js';
import type { Workers } from './workers.js';

export interface Scene {
  readonly lane: Lane;
  readonly workers: Workers;
  readonly project: string;
  /** Of the backfill. */
  readonly workflowId: string;
  /** Whether the backfill has ended. */
  readonly isOver: () => boolean;
}

/** Settles when the fault is over; what it changed is as before then. */
type Act = (scene: Scene, next: () => number) => Promise<void>;

const HEARTBEAT_TIMEOUT_S = 10;
/** A worker has begun by then. */
const STARTED_S = 4;
const OVER_MS = 240_000;

const between = (next: () => number, low: number, high: number): number => low + Math.floor(next() * (high - low + 1));

/** Time passes on a session of the database: where that is killed meanwhile, it is over sooner. */
async function pass({ lane }: Scene, seconds: number): Promise<void> {
  await lane.on('ops', (ops) => ops.query('SELECT pg_sleep($1)', [seconds])).catch(() => undefined);
}

/** Does something to one message, and lets all others pass. Returns the judge, to be healed. */
function once({ lane }: Scene, judge: Judge): Judge {
  const { judges } = lane.proxy;
  const first: Judge = (passing) => {
    const verdict = judge(passing);
    if (verdict !== 'pass') judges.delete(first);
    return verdict;
  };
  judges.add(first);
  return first;
}

/** Somewhere in the talk of a slice with one of its databases. */
function aim(scene: Scene, next: () => number, verdict: Verdict): Judge {
  const there = {
    database: next() < 0.75 ? 'warehouse' : 'ops',
    from: next() < 0.5 ? 'worker' : 'server',
    nth: between(next, 1, 60),
  };
  return once(scene, ({ slice, database, from, nth }) =>
    slice !== undefined && database === there.database && from === there.from && nth >= there.nth ? verdict : 'pass',
  );
}

/** Holds a connection for some seconds, then ends what of it is left. */
async function holdUp(scene: Scene, next: () => number, verdict: Verdict): Promise<void> {
  const judge = aim(scene, next, verdict);
  await pass(scene, between(next, 2, 6));
  scene.lane.proxy.heal(judge);
}

/** Cuts where a slice commits a batch: its first COMMIT is that of its lease, which loses nothing. */
function atPublish(
  scene: Scene,
  side: 'worker' | 'server',
  commits: (message: Message) => boolean,
  verdict: 'cut_before' | 'cut_after',
): void {
  const leased = new Set<string>();
  once(scene, ({ slice, database, from, message }) => {
    if (slice === undefined || database !== 'warehouse' || from !== side || !commits(message)) return 'pass';
    if (leased.has(slice)) return verdict;
    leased.add(slice);
    return 'pass';
  });
}

/**
 * Stalls a slice where it begins a batch, after so many that it has published, and does the work once one is stuck; slices are of two batches or more. It is
 * healed afterwards, also where the work fails: nobody would hear of that slice again, for its worker is well. The work may heal it before.
 */
async function whileStuck(batches: 0 | 1, scene: Scene, work: (heal: () => void) => Promise<void>): Promise<void> {
  const { lane, isOver } = scene;
  const stuck = new Set<string>();
  const judge = once(scene, stallAtBegin('/ticks', batches, stuck));
  const heal = (): void => lane.proxy.heal(judge);
  try {
    await eventually('a slice is stuck', () => stuck.size > 0 || isOver(), OVER_MS);
    if (stuck.size > 0) await work(heal);
  } finally {
    heal();
  }
}

/** Kills the worker once some chunks of a partition are read. */
function betweenChunks(scene: Scene, next: () => number): void {
  // Of its lease, of the staging, then of the chunks.
  let left = 2 + between(next, 1, 4);
  const { judges } = scene.lane.proxy;
  const judge: Judge = ({ slice, database, from, message }) => {
    if (slice?.endsWith('/big') !== true || database !== 'warehouse' || from !== 'server' || !isCommitted(message))
      return 'pass';
    if (--left === 0) {
      judges.delete(judge);
      void scene.workers.kill().catch(() => undefined);
    }
    return 'pass';
  };
  judges.add(judge);
}

/**
 * A writer holds a row that the backfill comes to last, and once that waits for it wants the rows that the backfill has. PostgreSQL ends
 * whoever waited first, which is the backfill.
 */
async function deadlock({ lane, project, isOver }: Scene): Promise<void> {
  await lane.on('warehouse', async (writer) => {
    const { rows: tables } = await writer.query<{ there: boolean }>('SELECT to_regclass($1) IS NOT NULL AS there', [
      `${project}.moving`,
    ]);
    // Not in every part of the project.
    if (tables[0]?.there !== true) return;
    await writer.query(`SET deadlock_timeout = '1min'; SET lock_timeout = '5s'`);
    await writer.query('BEGIN');
    await writer.query(`SELECT FROM ${project}.moving WHERE at = (SELECT max(at) FROM ${project}.moving) FOR UPDATE`);
    const blocks = async (): Promise<boolean> => {
      const { rows } = await writer.query<{ n: number }>(
        'SELECT count(*)::int AS n FROM pg_stat_activity WHERE pg_backend_pid() = ANY (pg_blocking_pids(pid))',
      );
      return (rows[0]?.n ?? 0) > 0 || isOver();
    };
    await eventually('somebody waits for it', blocks, 5_000).catch(() => undefined);
    await writer.query(`SELECT FROM ${project}.moving ORDER BY at FOR UPDATE`);
    await writer.query('COMMIT');
  });
}

async function settings(scene: Scene, name: string, value: string): Promise<void> {
  const { lane } = scene;
  const alter = (what: string): Promise<void> =>
    lane.on('warehouse', async (warehouse) => {
      const { rows } = await warehouse.query<{ name: string }>('SELECT current_database() AS name');
      await warehouse.query(`ALTER DATABASE ${rows[0]?.name} ${what}`);
      await warehouse.query(ALL_ENDED);
    });
  await alter(`SET ${name} = '${value}'`);
  try {
    await pass(scene, 2);
  } finally {
    await lane.quietly(() => alter(`RESET ${name}`));
  }
}

const ALL_ENDED = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'sluice%' AND datname = current_database()`;

export const FAULTS = {
  'kill -9 of the worker': ({ workers }) => workers.kill(),
  'kill -9 of workers as they start': async (scene, next) => {
    const moment = (): Promise<void> => pass(scene, next() * STARTED_S);
    await scene.workers.killAtStart(Array.from({ length: between(next, 1, 3) }, () => moment));
  },
  'kill -9 of the worker, in the middle of a slice': (scene) =>
    whileStuck(1, scene, async () => {
      // Time for a heartbeat to say how far it came.
      await pass(scene, 2);
      await scene.workers.kill();
    }),
  'kill -9 of the worker between two chunks': (scene, next) => {
    betweenChunks(scene, next);
    return Promise.resolve();
  },
  'the worker sleeps past its heartbeat, and wakes up': async (scene) => {
    const wake = await scene.workers.freeze();
    await pass(scene, HEARTBEAT_TIMEOUT_S + 2);
    wake();
  },
  'the worker is cut off from Temporal, and works on': (scene) =>
    whileStuck(0, scene, async (wake) => {
      const heal = await scene.workers.cutOff();
      const from = scene.workers.said().length;
      await giveAway(scene.lane, `${scene.workflowId}/ticks`);
      const isTaken = (): boolean => /"attempt":[2-9]/.test(scene.workers.said().slice(from));
      await eventually('another has its work', () => scene.isOver() || isTaken(), OVER_MS);
      wake();
      // What is left of its slice is its to do until its own clock tells it.
      await pass(scene, HEARTBEAT_TIMEOUT_S);
      heal();
    }),
  'the worker sleeps until the backfill is over, and wakes up alone': (scene) =>
    whileStuck(0, scene, async () => {
      const heal = await scene.workers.cutOff();
      scene.workers.freezeLeft();
      await eventually('the backfill is over', scene.isOver, OVER_MS);
      scene.workers.wakeLeft();
      await pass(scene, 3);
      heal();
    }),
  'PostgreSQL stops at once': ({ lane }) => lane.restartPostgres('SIGQUIT'),
  'kill -9 of PostgreSQL': ({ lane }) => lane.restartPostgres('SIGKILL'),
  'kill -9 of Temporal': ({ lane }) => lane.restartTemporal(),
  'a connection is cut before a message': (scene, next) => {
    aim(scene, next, 'cut_before');
    return Promise.resolve();
  },
  'a connection is cut after a message': (scene, next) => {
    aim(scene, next, 'cut_after');
    return Promise.resolve();
  },
  'the answer to COMMIT is lost': (scene) => {
    atPublish(scene, 'server', isCommitted, 'cut_before');
    return Promise.resolve();
  },
  'a connection is cut once COMMIT is sent': (scene) => {
    atPublish(scene, 'worker', isCommit, 'cut_after');
    return Promise.resolve();
  },
  'a connection says nothing any more, and is cut at last': (scene, next) => holdUp(scene, next, 'stall'),
  'the worker has lost a connection, and its database does not know': (scene, next) =>
    holdUp(scene, next, 'forget_worker'),
  'a database has lost a connection, and its worker does not know': (scene, next) =>
    holdUp(scene, next, 'forget_server'),
  'all sessions are ended': async ({ lane }) => {
    for (const database of ['warehouse', 'ops'] as const) await lane.on(database, (client) => client.query(ALL_ENDED));
  },
  'statements may take 30 ms': (scene) => settings(scene, 'statement_timeout', '30ms'),
  'locks may be waited for 1 ms': (scene) => settings(scene, 'lock_timeout', '1ms'),
  'a writer holds rows, and wants others': deadlock,
  // A server that starts on a full disk is another matter.
  'the disk is full': (scene) =>
    scene.lane.quietly(async () => {
      scene.lane.disk?.fill();
      await pass(scene, 3);
      scene.lane.disk?.free();
    }),
} satisfies Record<string, Act>;

export type FaultName = keyof typeof FAULTS;

/** A fault, and when: as soon as that many partitions are published. */
export interface Planned {
  readonly fault: FaultName;
  readonly after: number;
}

/** One run in this many may kill a server: all lanes beside it meet that, too. */
const SERVERS_EVERY = 4;

/** 1 to 5 faults of a seed. Three in ten come at once after the one before: while that is being recovered from. */
export function chooseFaults(seed: number, next: () => number, partitions: number): Planned[] {
  const names = (Object.keys(FAULTS) as FaultName[]).filter(
    (name) => seed % SERVERS_EVERY === 0 || !/PostgreSQL|of Temporal/.test(name),
  );
  const count = between(next, 1, 5);
  let after = 0;
  return Array.from({ length: count }, () => {
    const fault = names[Math.floor(next() * names.length)] ?? 'kill -9 of the worker';
    if (next() >= 0.3) after = between(next, after, Math.max(after, Math.floor(partitions * 0.9)));
    return { fault, after };
  });
}
