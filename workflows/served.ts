/** What is asked of a project's own workers, where there may be none. */
import { ActivityFailure, ApplicationFailure, TimeoutFailure } from '@temporalio/workflow';
import type { ControlActivities } from '../activities/index.js';
import { typedIn } from '../src/contracts/typed.js';
import { lacksWorker } from './lacks.js';
import { controlOf, lastingControlOf, scopeOf } from './proxies.js';
import { enter, show, type Run } from './run.js';

/** Longer than a worker that works needs to take something up, and than a deploy leaves a project without one. */
const TAKEN_UP = '15 seconds';
/** So long a request waits for a worker of its environment: as long as a held one waits for a person. */
const SERVED_WITHIN = '24 hours';

/**
 * Asks the workers of its project and environment. Those of others may carry this workflow out, as all share a queue for that, and can do no more than say
 * that nobody serves it: for a day, then it fails.
 */
export async function whereServed<T>(run: Run, ask: (control: ControlActivities) => Promise<T>): Promise<T> {
  const { ref } = run;
  try {
    return await ask(controlOf(ref, TAKEN_UP));
  } catch (error) {
    if (!isUntaken(error)) throw error;
  }
  run.waiting = lacksWorker(ref);
  show(run);
  try {
    return await ask(controlOf(ref, SERVED_WITHIN));
  } catch (error) {
    if (!isUntaken(error)) throw error;
    throw ApplicationFailure.create({
      type: 'no_worker',
      message: `no worker served ${scopeOf(ref)} for a day`,
      nonRetryable: true,
      details: [{ remedy: `start one: ${typedIn(ref.environment, 'sluice worker')}`, exitCode: 1 }],
    });
  } finally {
    run.waiting = null;
  }
}

/**
 * From now on no batch begins. Where no worker takes that up, one that nobody ever planned holds nothing, and has ended; any other says what it waits for.
 * @returns false where it has ended
 */
export async function closeGate(run: Run, reason: string): Promise<boolean> {
  const { ref } = run;
  const order = { ...ref, actor: run.cancelledBy, action: 'cancel', reason, cancelled: true };
  try {
    await lastingControlOf(ref, TAKEN_UP).control(order);
  } catch (error) {
    if (isUntaken(error) && run.opened === undefined) {
      run.unserved = true;
      run.endedAt = new Date().toISOString();
      run.waiting = null;
      enter(run, 'cancelled', `${reason}; ${NOBODY_PLANNED}`);
      return false;
    }
    if (isUntaken(error)) run.waiting = lacksWorker(ref);
    show(run);
    await lastingControlOf(ref).control(order);
  }
  return true;
}

const NOBODY_PLANNED = 'no worker had taken it up';

/** Whether no worker took an activity up in time: nobody serves the project in that environment. */
function isUntaken(error: unknown): boolean {
  return (
    error instanceof ActivityFailure &&
    error.cause instanceof TimeoutFailure &&
    error.cause.timeoutType === 'SCHEDULE_TO_START'
  );
}
