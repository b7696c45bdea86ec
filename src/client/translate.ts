import {
  QueryNotRegisteredError,
  WorkflowExecutionAlreadyStartedError,
  WorkflowFailedError,
  WorkflowNotFoundError,
  WorkflowUpdateFailedError,
} from '@temporalio/client';
import { ActivityFailure, ApplicationFailure, CancelledFailure, TerminatedFailure } from '@temporalio/common';
import { BackfillStatus } from '../contracts/status.js';
import {
  BackfillCancelledError,
  BackfillFailedError,
  BackfillIdTakenError,
  BackfillNotFoundError,
  BackfillSystemError,
  MessageRefusedError,
  RequestRefusedError,
} from './errors.js';

/** Runs a call to Temporal and turns its errors into this client's own. */
export async function translate<T>(id: string, call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    throw translated(id, error);
  }
}

function translated(id: string, error: unknown): unknown {
  if (error instanceof WorkflowNotFoundError) return new BackfillNotFoundError(id, { cause: error });
  if (error instanceof WorkflowExecutionAlreadyStartedError) return new BackfillIdTakenError(id, { cause: error });
  if (error instanceof QueryNotRegisteredError) {
    // Its workflow failed before it could answer anything.
    return new RequestRefusedError(
      'bad_request',
      `${id} has no status: its input was refused, or it is no backfill`,
      'its result says why',
      { cause: error },
    );
  }
  if (error instanceof WorkflowUpdateFailedError)
    return new MessageRefusedError(error.cause?.message ?? error.message, { cause: error });
  if (!(error instanceof WorkflowFailedError)) return error;
  // Where the workflow had no words of its own, those of the activity that it could not go on without.
  const cause = error.cause instanceof ActivityFailure ? error.cause.cause : error.cause;
  if (cause instanceof CancelledFailure || cause instanceof TerminatedFailure) return new BackfillCancelledError(id);
  if (!(cause instanceof ApplicationFailure)) return error;
  if (cause.type === 'backfill_failed') {
    const status = BackfillStatus.safeParse(cause.details?.[0]);
    if (status.success) return new BackfillFailedError(status.data);
  }
  const [details] = cause.details ?? [];
  const Kind = exitCodeOf(details) === 2 || REFUSALS.has(cause.type ?? '') ? RequestRefusedError : BackfillSystemError;
  return new Kind(cause.type ?? 'unknown', cause.message, remedyOf(details), { cause: error });
}

/** What the workflow itself refuses, without details. */
const REFUSALS: ReadonlySet<string> = new Set(['bad_request']);

function exitCodeOf(details: unknown): unknown {
  return typeof details === 'object' && details !== null && 'exitCode' in details ? details.exitCode : undefined;
}

function remedyOf(details: unknown): string | undefined {
  const remedy = typeof details === 'object' && details !== null && 'remedy' in details ? details.remedy : undefined;
  return typeof remedy === 'string' ? remedy : undefined;
}
