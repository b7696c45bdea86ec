import type { BackfillStatus } from '../contracts/status.js';

/** Base of every error that {@link BackfillClient} throws on purpose. */
export abstract class BackfillError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
  }
}

/** Temporal knows no backfill of that id. */
export class BackfillNotFoundError extends BackfillError {
  constructor(
    readonly id: string,
    options?: ErrorOptions,
  ) {
    super(`there is no backfill ${id}`, options);
  }
}

/** An id is never used twice, whether the first one still runs or not. */
export class BackfillIdTakenError extends BackfillError {
  constructor(
    readonly id: string,
    options?: ErrorOptions,
  ) {
    super(`backfill ${id} exists already: an id is never used twice`, options);
  }
}

/** The request was wrong, and nothing was started. */
export class RequestRefusedError extends BackfillError {
  constructor(
    /** Of sluice's errors: `unknown_dataset`, `conflict`, … */
    readonly code: string,
    message: string,
    readonly remedy?: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** Nothing was wrong with the request: something that planning needs is unreachable, refused us, or is a bug. */
export class BackfillSystemError extends BackfillError {
  constructor(
    /** Of sluice's errors: `connection_refused`, `internal`, … */
    readonly code: string,
    message: string,
    readonly remedy?: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** A message that makes no sense now: to an ended backfill, a retry of one that is not held, … */
export class MessageRefusedError extends BackfillError {}

/** The backfill ended with failed or blocked partitions. */
export class BackfillFailedError extends BackfillError {
  constructor(readonly status: BackfillStatus) {
    super(`backfill ${status.id} failed: ${status.reason}`);
  }
}

/** The backfill was cancelled; what it had published stays. */
export class BackfillCancelledError extends BackfillError {
  constructor(readonly id: string) {
    super(`backfill ${id} was cancelled`);
  }
}
