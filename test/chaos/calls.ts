import { DefaultLogger, NativeConnection, Runtime, Worker } from '@temporalio/worker';
import { ApplicationFailure, heartbeat } from '@temporalio/activity';
import { CallInput } from '../../src/contracts/call.js';
import { CALLS } from './project.js';

/** The user's worker of every run: it keeps what it was called for, and fails the first try of each interval. */
export interface Callee {
  /** Of a backfill: the intervals that it was called for, and how many keys it was given for each. */
  readonly keysOf: (backfill: string) => string;
  readonly stop: () => Promise<void>;
}

export async function startCallee(address: string): Promise<Callee> {
  const keys = new Map<string, Map<string, Set<string>>>();
  const chaosTold = (given: unknown): void => {
    heartbeat();
    const { interval, backfill, idempotencyKey } = CallInput.parse(given);
    const intervals = keys.get(backfill) ?? new Map<string, Set<string>>();
    keys.set(backfill, intervals);
    const known = intervals.get(interval.start) ?? new Set<string>();
    const isFirst = known.size === 0;
    intervals.set(interval.start, known.add(idempotencyKey));
    if (isFirst) throw ApplicationFailure.create({ type: 'not_yet', message: 'the first try of each fails' });
  };
  // It fails by design.
  Runtime.install({ logger: new DefaultLogger('ERROR') });
  const connection = await NativeConnection.connect({ address });
  const worker = await Worker.create({ connection, taskQueue: CALLS, activities: { chaosTold } });
  const running = worker.run();
  // Where it ends by itself, its queue has no worker, and the runs say so.
  running.catch(() => undefined);
  return {
    keysOf: (backfill) =>
      [...(keys.get(backfill) ?? [])]
        .map(([start, of]) => `${start}: ${of.size}`)
        .sort()
        .join(', '),
    stop: async () => {
      worker.shutdown();
      await running.catch(() => undefined);
      await connection.close();
    },
  };
}
