/** What goes wrong in a run: chosen by a seed, done to real processes, sessions and sockets. */
import { eventually } from '../support/eventually.js';
import type { Servers } from './servers.js';
import { isBegin, isCommit, isCommitted, type Message } from './wire.js';
import type { Workers } from './workers.js';

export interface Scene {
  readonly servers: Servers;
  readonly workers: Workers;
  readonly project: string;
  /** Whether the backfill has ended. */
  readonly isOver: () => boolean;
}

/** Settles when the fault is over; what it changed is as before then. */
type Act = (scene: Scene, next: () => number) => Promise<void>;

const HEARTBEAT_TIMEOUT_S = 10;
const OVER_MS = 240_000;

const between = (next: () => number, low: number, high: number): number => low + Math.floor(next() * (high - low + 1));

/** Time passes on a session of the database: where that is killed meanwhile, it is over sooner. */
async function pass({ servers }: Scene, seconds: number): Promise<void> {
  await servers.on('ops', (ops) => ops.query('SELECT pg_sleep($1)', [seconds])).catch(() => undefined);
}

/** Does something to one message, and lets all others pass. */
function once(servers: Servers, judge: NonNullable<Servers['proxy']['judge']>): void {
  servers.proxy.judge = (passing) => {
    const verdict = judge(passing);
    if (verdict !== 'pass') servers.proxy.judge = undefined;
    return verdict;
  };
}

/** Somewhere in the talk of a slice with one of its databases. */
function somewhere(
  next: () => number,
): Pick<Parameters<NonNullable<Servers['proxy']['judge']>>[0], 'database' | 'from' | 'nth'> {
  return {
    database: next() < 0.75 ? 'warehouse' : 'ops',
    from: next() < 0.5 ? 'worker' : 'server',
    nth: between(next, 1, 60),
  };
}

function aim({ servers }: Scene, next: () => number, verdict: 'cut_before' | 'cut_after' | 'stall'): void {
  const there = somewhere(next);
  once(servers, ({ slice, database, from, nth }) =>
    slice !== undefined && database === there.database && from === there.from && nth >= there.nth ? verdict : 'pass',
  );
}

/** Cuts where a slice commits a batch: its first COMMIT is that of its lease, which loses nothing. */
function atPublish(
  servers: Servers,
  side: 'worker' | 'server',
  commits: (message: Message) => boolean,
  verdict: 'cut_before' | 'cut_after',
): void {
  const leased = new Set<string>();
  once(servers, ({ slice, database, from, message }) => {
    if (slice === undefined || database !== 'warehouse' || from !== side || !commits(message)) return 'pass';
    if (leased.has(slice)) return verdict;
    leased.add(slice);
    return 'pass';
  });
}

/** Stalls a slice where its second batch begins, so that some of it is left when it finds itself cut off. False: none came. */
async function stuckInMiddle({ servers, isOver }: Scene): Promise<boolean> {
  const before = servers.proxy.stalled();
  const commits = new Map<string, number>();
  once(servers, ({ slice, from, message }) => {
    if (slice?.endsWith('/ticks') !== true) return 'pass';
    const done = commits.get(slice) ?? 0;
    if (from === 'server' && isCommitted(message)) commits.set(slice, done + 1);
    // The first was of its lease.
    return from === 'worker' && done >= 2 && isBegin(message) ? 'stall' : 'pass';
  });
  const isStuck = (): boolean => servers.proxy.stalled() > before;
  await eventually('a slice is stuck', () => isStuck() || isOver(), OVER_MS);
  return isStuck();
}

async function settings(scene: Scene, name: string, value: string): Promise<void> {
  const { servers } = scene;
  await servers.on('warehouse', async (warehouse) => {
    await warehouse.query(`ALTER DATABASE warehouse SET ${name} = '${value}'`);
    await warehouse.query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'sluice%' AND datname = 'warehouse'`,
    );
  });
  await pass(scene, 2);
  await servers.on('warehouse', (warehouse) => warehouse.query(`ALTER DATABASE warehouse RESET ${name}`));
}

export const FAULTS = {
  'kill -9 of the worker': ({ workers }) => {
    workers.kill();
    return Promise.resolve();
  },
  'the worker sleeps past its heartbeat, and wakes up': async (scene) => {
    const wake = await scene.workers.freeze();
    await pass(scene, HEARTBEAT_TIMEOUT_S + 2);
    wake();
  },
  'the worker is cut off from Temporal, and works on': async (scene) => {
    if (!(await stuckInMiddle(scene))) return;
    const heal = await scene.workers.cutOff();
    await pass(scene, HEARTBEAT_TIMEOUT_S + 4);
    heal();
  },
  'the worker sleeps until the backfill is over, and wakes up alone': async (scene) => {
    if (!(await stuckInMiddle(scene))) return;
    const heal = await scene.workers.cutOff();
    scene.workers.freezeLeft();
    await eventually('the backfill is over', scene.isOver, OVER_MS);
    scene.workers.wakeLeft();
    await pass(scene, 3);
    heal();
  },
  'PostgreSQL stops at once': ({ servers }) => servers.restartPostgres('SIGQUIT'),
  'kill -9 of PostgreSQL': ({ servers }) => servers.restartPostgres('SIGKILL'),
  'kill -9 of Temporal': ({ servers }) => servers.restartTemporal(),
  'a connection is cut before a message': (scene, next) => {
    aim(scene, next, 'cut_before');
    return Promise.resolve();
  },
  'a connection is cut after a message': (scene, next) => {
    aim(scene, next, 'cut_after');
    return Promise.resolve();
  },
  'the answer to COMMIT is lost': ({ servers }) => {
    atPublish(servers, 'server', isCommitted, 'cut_before');
    return Promise.resolve();
  },
  'a connection is cut once COMMIT is sent': ({ servers }) => {
    atPublish(servers, 'worker', isCommit, 'cut_after');
    return Promise.resolve();
  },
  'a connection says nothing any more, and is cut at last': async (scene, next) => {
    aim(scene, next, 'stall');
    await pass(scene, between(next, 2, 6));
    scene.servers.proxy.heal();
  },
  'all sessions are ended': async ({ servers }) => {
    for (const database of ['warehouse', 'ops'] as const) {
      await servers.on(database, (client) =>
        client.query(
          `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'sluice%' AND datname = current_database()`,
        ),
      );
    }
  },
  'statements may take 30 ms': (scene) => settings(scene, 'statement_timeout', '30ms'),
  'locks may be waited for 1 ms': (scene) => settings(scene, 'lock_timeout', '1ms'),
  'a writer holds rows, and wants others': ({ servers, project }) =>
    servers.on('warehouse', async (warehouse) => {
      const lock = (order: string): string =>
        `SELECT id FROM ${project}.moving ORDER BY id ${order} LIMIT 20 FOR UPDATE; SELECT pg_sleep(0.7)`;
      await warehouse.query('BEGIN');
      await warehouse.query(`${lock('DESC')}; ${lock('ASC')}`);
      await warehouse.query('COMMIT');
    }),
} satisfies Record<string, Act>;

export type FaultName = keyof typeof FAULTS;

/** A fault, and when: as soon as that many partitions are published. */
export interface Planned {
  readonly fault: FaultName;
  readonly after: number;
}

/** 1 to 5 faults. Three in ten come at once after the one before: while that is being recovered from. */
export function chooseFaults(next: () => number, partitions: number): Planned[] {
  const names = Object.keys(FAULTS) as FaultName[];
  const count = between(next, 1, 5);
  let after = 0;
  return Array.from({ length: count }, () => {
    const fault = names[Math.floor(next() * names.length)] ?? 'kill -9 of the worker';
    if (next() >= 0.3) after = between(next, after, Math.max(after, Math.floor(partitions * 0.9)));
    return { fault, after };
  });
}
