/**
 * The closed tree of errors that a user may see. Everything else is a bug and exits with 1.
 *
 * `RequestError` (exit 2): the request or the project is wrong and nothing was started.
 * `SystemError` (exit 1): something sluice needs is unreachable or refused.
 */
export abstract class SluiceError extends Error {
  abstract readonly exitCode: 1 | 2;
  constructor(
    /** Stable, lower_snake_case: `unknown_dataset`, `range_empty`, … */
    readonly code: string,
    message: string,
    /** What to type or change next. */
    readonly remedy?: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.name = new.target.name;
  }
}

export class RequestError extends SluiceError {
  override readonly exitCode = 2;
}

export class SystemError extends SluiceError {
  override readonly exitCode = 1;
}

/** One mistake in a project: place, value and remedy. `validate` collects them all before it says anything. */
export interface Problem {
  /** Relative to the project's folder. */
  readonly file: string;
  /** 1-based; absent where the whole file is meant. */
  readonly line?: number;
  /** 1-based. */
  readonly column?: number;
  readonly code: string;
  readonly message: string;
  readonly remedy?: string;
  /** The line that mends it, as it would stand in the file's settings. */
  readonly write?: string;
}

/** `datasets/a.sql:12:5: unknown column x (remedy)`. */
export function formatProblem({ file, line, column, message, remedy }: Problem): string {
  const place = [file, line, line === undefined ? undefined : column].filter((part) => part !== undefined).join(':');
  return `${place}: ${message}${remedy === undefined ? '' : `\n    ${remedy}`}`;
}

/** A project with mistakes: all of them at once. */
export class ProjectError extends RequestError {
  constructor(readonly problems: readonly Problem[]) {
    super(
      'project_invalid',
      `${problems.length === 1 ? '1 problem' : `${problems.length} problems`} in the project\n${problems.map(formatProblem).join('\n')}`,
    );
  }
}
