import { isGrpcCancelledError, isGrpcDeadlineError, WorkflowUpdateFailedError } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';

/**
 * Asks again, once, what the server broke off, and what nobody has answered within `afterMs`: a question that a worker was given as it ended. One after the
 * other: of a workflow that is busy the server keeps one question and refuses the next, which the SDK (1.24) then tries again by itself. It is not to be told
 * that this is over, and ends the process where its connection is closed by then.
 * @param ask - has time until `deadline`, in ms since 1970; without one as long as the server gives it, 30 s
 */
export async function askAgain<T>(ask: (deadline?: number) => Promise<T>, afterMs: number): Promise<T> {
  const deadline = Date.now() + afterMs;
  try {
    return await ask(deadline).catch((error: unknown) => {
      if (isGrpcCancelledError(error)) return ask(deadline);
      throw error;
    });
  } catch (error) {
    if (isGrpcDeadlineError(error)) return ask();
    throw error;
  }
}

const SENDS = 3;

/**
 * Sends a message again that no worker has looked at: one that came as its worker ended may be lost with it (SDK core: "unprocessed protocol messages while
 * receiving new work"), and the server then refuses it as not supported.
 */
export async function sendAgain<T>(send: () => Promise<T>): Promise<T> {
  for (let sent = 1; ; sent++) {
    try {
      return await send();
    } catch (error) {
      if (sent === SENDS || !isUnprocessed(error)) throw error;
    }
  }
}

function isUnprocessed(error: unknown): boolean {
  return (
    error instanceof WorkflowUpdateFailedError &&
    error.cause instanceof ApplicationFailure &&
    error.cause.type === 'UnprocessedUpdate'
  );
}
