import type { Rendered } from '../project/render.js';

type Param = Rendered['params'][number];

/**
 * The statement with each use of `:start` and `:end` written as `write` says, as `$1` and `$2` without it, and typed: left to itself, PostgreSQL takes
 * `$1 - interval` for an interval. Lines stay where they are.
 */
export function withParams(
  { text, params }: Rendered,
  write: (param: Param, index: number) => string = ({ start, end }) => text.slice(start, end),
): string {
  const last = params.length - 1;
  return [...params]
    .reverse()
    .reduce(
      (sql, param, i) => `${sql.slice(0, param.start)}(${write(param, last - i)}::timestamptz)${sql.slice(param.end)}`,
      text,
    )
    .trimEnd();
}
