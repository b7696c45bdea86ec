import { spawn, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { keepWorker, type DevWorker } from '../../src/dev/dev-worker.js';
import { kill9 } from '../support/backfills.js';
import { startPipe, type Pipe } from './pipe.js';
import { CHUNK_ROWS } from './project.js';
import type { Lane } from './servers.js';

/** The build that is tested; a mutant is a changed copy of it. */
export const DIST = fileURLToPath(new URL('../../dist', import.meta.url));

/** Workers of one run: one that is kept alive, and those that were stopped and left behind. */
export interface Workers {
  /** kill -9; another is started. */
  readonly kill: () => Promise<void>;
  /**
   * kill -9, and of each that takes its place, at a moment of its start; one more is started, which stays.
   * @returns when the last was killed, and whether any of them ended by itself before it was
   */
  readonly killAtStart: (
    moments: readonly (() => Promise<void>)[],
  ) => Promise<{ readonly killedAt: number; readonly ended: number }>;
  /** SIGSTOP, and another is started. Returns what wakes the stopped one: it works on beside the other. */
  readonly freeze: () => Promise<() => void>;
  /** It no longer reaches Temporal, and does not know; the databases it reaches. Another is started. Returns what ends this. */
  readonly cutOff: () => Promise<() => void>;
  /** SIGSTOP and SIGCONT of those that another has taken the place of. */
  readonly freezeLeft: () => void;
  readonly wakeLeft: () => void;
  /** kill -9 of those. */
  readonly endLeft: () => Promise<void>;
  /** All that they logged, as lines of JSON. */
  readonly said: () => string;
  readonly stop: () => Promise<void>;
}

export async function startWorkers(lane: Lane, project: string, dist = DIST): Promise<Workers> {
  const temporalPort = Number(lane.stack.dev.info().temporalAddress.split(':')[1]);
  let text = '';
  const left: ChildProcess[] = [];
  const pipes: Pipe[] = [];
  const keepers: DevWorker[] = [];
  let current: ChildProcess | undefined;
  /** Whether those that were left behind are to sleep, whoever else would wake them. */
  let asleep = false;
  const start = (): ChildProcess => {
    const args = [`${dist}/src/cli/sluice.js`, 'worker', '-p', project, '--log-level', 'debug'];
    const child = spawn(process.execPath, args, {
      env: {
        ...lane.stack.env,
        ...lane.env,
        SLUICE_CHUNK_ROWS: String(CHUNK_ROWS),
        TEMPORAL_ADDRESS: `127.0.0.1:${pipes.at(-1)?.port}`,
      },
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    });
    for (const stream of [child.stdout, child.stderr])
      stream?.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
    lane.workers.add(child);
    current = child;
    return child;
  };
  const keep = async (): Promise<void> => {
    const nothing = (): void => undefined;
    pipes.push(await startPipe(temporalPort));
    const keeping = (): Promise<DevWorker> => keepWorker({ start, onSpawn: nothing, onReady: nothing, log: nothing });
    keepers.push(await lane.quietly(keeping));
  };
  /** One change after the other: faults come at once. */
  let turn: Promise<unknown> = Promise.resolve();
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const done = turn.then(work);
    turn = done.catch(() => undefined);
    return done;
  };
  /** The one at work is left behind; another takes its place. */
  const replace = async (leave: (child: ChildProcess | undefined) => void): Promise<void> => {
    leave(current);
    if (current) left.push(current);
    await keep();
  };
  /** Those that were left behind, and their keepers and pipes; the last of each is of the one at work. */
  const endLeft = async (): Promise<void> => {
    for (const keeper of keepers.splice(0, keepers.length - 1)) await keeper.stop(AbortSignal.abort());
    for (const child of left.splice(0)) child.kill('SIGKILL');
    for (const pipe of pipes.splice(0, pipes.length - 1)) pipe.close();
  };
  await keep();
  return {
    // By its keeper, who would start another beside the one that takes its place, and wait longer each time.
    kill: () =>
      inTurn(async () => {
        await keepers.pop()?.stop(AbortSignal.abort());
        pipes.pop()?.close();
        await keep();
      }),
    killAtStart: (moments) =>
      inTurn(async () => {
        await keepers.pop()?.stop(AbortSignal.abort());
        let ended = 0;
        for (const moment of moments) {
          const young = start();
          await moment();
          if (young.exitCode === null && young.signalCode === null) await kill9(young);
          else ended++;
        }
        const killedAt = Date.now();
        pipes.pop()?.close();
        await keep();
        return { killedAt, ended };
      }),
    freeze: () =>
      inTurn(async () => {
        const stopped = current;
        await replace((child) => child?.kill('SIGSTOP'));
        return () => {
          // Else it would keep alive what was stalled in it, for ever: that fault waits for the end of the backfill.
          if (!asleep) stopped?.kill('SIGCONT');
        };
      }),
    cutOff: () =>
      inTurn(async () => {
        // The other one is there first: who is cut off hears of it from its own clock, a few seconds after Temporal gave its work away.
        const pipe = pipes.at(-1);
        await replace(() => undefined);
        pipe?.cutOff();
        return () => pipe?.heal();
      }),
    freezeLeft: () => {
      asleep = true;
      for (const child of left) child.kill('SIGSTOP');
    },
    wakeLeft: () => {
      asleep = false;
      for (const child of left) child.kill('SIGCONT');
    },
    endLeft: () => inTurn(endLeft),
    said: () => text,
    stop: async () => {
      await inTurn(endLeft);
      const now = AbortSignal.abort();
      for (const keeper of keepers) await keeper.stop(now);
      if (current && current.exitCode === null && current.signalCode === null) await kill9(current);
      for (const pipe of pipes) pipe.close();
    },
  };
}
