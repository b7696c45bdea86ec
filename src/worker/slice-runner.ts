import { setTimeout as sleep } from 'node:timers/promises';
import type { Worker } from '@temporalio/worker';
import type { Logger } from 'pino';
import type { StandAside } from '../../activities/index.js';
import { faultOf } from '../postgres/error.js';
import { connectOnce } from '../postgres/pool.js';

/** Between two self-tests; never quite the same, so that of two workers one comes back first. */
const TEST_MS = 5_000;
const CONNECT_MS = 5_000;

export interface SliceRunnerDeps {
  /** A worker of the slice queue, whose activities can make this one stand aside. */
  readonly create: (standAside: StandAside) => Promise<Worker>;
  /** One that only says, by its name, that this worker stands aside and why. */
  readonly createBystander: (why: string) => Promise<Worker>;
  /** Other workers that carry slices out. */
  readonly others: () => Promise<readonly string[]>;
  readonly urlOf: (connection: string) => Promise<string>;
  readonly warehouse: () => string;
  readonly gauge: (aside: boolean) => void;
  readonly log: Logger;
}

/** The slice queue's worker of a process: it leaves slices to others while it lacks what they have, and comes back by itself. */
export interface SliceRunner {
  /** Until it is stopped and what runs has ended. */
  readonly run: () => Promise<void>;
  readonly stop: () => void;
}

export async function createSliceRunner(deps: SliceRunnerDeps): Promise<SliceRunner> {
  const { log } = deps;
  const stopping = new AbortController();
  /** What this worker cannot use, and why. */
  const lacks = new Map<string, string>();
  let leave: () => void = () => undefined;
  const standAside: StandAside = async (connection, { message }) => {
    if (!lacks.has(connection)) {
      const others = await deps.others().catch((error: unknown) => {
        log.warn({ err: error }, 'cannot ask who else carries slices out');
        return [];
      });
      if (others.length === 0) return false;
      lacks.set(connection, message);
    }
    leave();
    return true;
  };
  let worker = await deps.create(standAside);
  deps.gauge(false);
  return {
    run: async () => {
      for (;;) {
        const left = new Promise<void>((resolve) => {
          leave = resolve;
        });
        const ended = worker.run();
        ended.catch(() => undefined);
        if (stopping.signal.aborted) shutDown(worker);
        await Promise.race([ended, left]);
        shutDown(worker);
        if (lacks.size > 0) await standBy(deps, lacks, stopping.signal);
        await ended;
        lacks.clear();
        const next = await again(deps, standAside, stopping.signal);
        if (!next) return;
        worker = next;
      }
    },
    stop: () => {
      stopping.abort();
      shutDown(worker);
    },
  };
}

/** A worker once more; null where it is stopped first. */
async function again(
  { create, log }: SliceRunnerDeps,
  standAside: StandAside,
  signal: AbortSignal,
): Promise<Worker | null> {
  while (!signal.aborted) {
    try {
      return await create(standAside);
    } catch (error) {
      log.warn({ err: error }, 'cannot take slices again yet');
      await sleep(TEST_MS, undefined, { signal }).catch(() => undefined);
    }
  }
  return null;
}

function shutDown(worker: Worker): void {
  if (worker.getState() === 'RUNNING') worker.shutdown();
}

/** Says that it stands aside, until its self-test passes or nobody else is there. */
async function standBy(deps: SliceRunnerDeps, lacks: ReadonlyMap<string, string>, signal: AbortSignal): Promise<void> {
  const { log, gauge } = deps;
  const words = [...lacks].map(([connection, why]) => `connection ${connection}: ${withoutPlace(why)}`).join('; ');
  log.warn(`stands aside: ${words}; other workers carry on, and it tries again every ${TEST_MS / 1000} s`);
  gauge(true);
  const silence = await say(deps, words);
  try {
    for (;;) {
      await sleep(TEST_MS * (0.75 + Math.random() / 2), undefined, { signal }).catch(() => undefined);
      if (signal.aborted) return;
      const still = await selfTest(deps, [deps.warehouse(), ...lacks.keys()]);
      if (still === null) {
        log.warn('comes back: it can use its connections again');
        return;
      }
      if ((await deps.others().catch(() => ['unknown'])).length > 0) continue;
      log.warn(`comes back, though ${still}: no other worker carries on`);
      return;
    }
  } finally {
    gauge(false);
    await silence();
  }
}

/** Tells Temporal, which others ask. Where that cannot be told, it stands aside all the same. */
async function say({ createBystander, log }: SliceRunnerDeps, words: string): Promise<() => Promise<void>> {
  const untold = (error: unknown): void => {
    log.warn({ err: error }, 'cannot tell Temporal that it stands aside');
  };
  try {
    const bystander = await createBystander(words);
    const ended = bystander.run().catch(untold);
    return async () => {
      shutDown(bystander);
      await ended;
    };
  } catch (error) {
    untold(error);
    return () => Promise.resolve();
  }
}

/** Connects as a slice would, with secrets that are read anew: what still does not work, or null. */
async function selfTest({ urlOf }: SliceRunnerDeps, connections: readonly string[]): Promise<string | null> {
  for (const name of new Set(connections)) {
    try {
      await (await connectOnce(await urlOf(name), CONNECT_MS)).end();
    } catch (error) {
      return `connection ${name}: ${withoutPlace(faultOf(error, 'warehouse').message)}`;
    }
  }
  return null;
}

/** The connection says where. */
function withoutPlace(message: string): string {
  return message.replace(/^(?:warehouse|source): /, '');
}
