import { isGrpcCancelledError, isGrpcDeadlineError } from '@temporalio/client';

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
