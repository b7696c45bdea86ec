import { RequestError } from '../contracts/errors.js';
import type { BackfillRequest } from '../contracts/request.js';
import type { Instant } from '../core/interval/interval.js';
import type { PlanRange } from '../core/plan/types.js';
import { resolveRange } from '../core/time/range.js';
import type { Project } from '../project/project.js';

/** @throws RequestError range_missing, for a bound that bounds nothing */
export function requireBound({ only, from, to, last, on }: BackfillRequest): void {
  if (only !== true || [from, to, last, on].some((one) => one !== undefined)) return;
  throw new RequestError(
    'range_missing',
    '--only needs a range: it keeps what is outside of one as it is',
    'give one: --from 2013-01-01 --to 2014-01-01 (--to is exclusive), --last 30d or --on 2013-03-10',
  );
}

/** A request's range by a clock. @throws RequestError for times that cannot be read and ranges that are empty */
export function rangeOfRequest(
  { timezone }: Pick<Project, 'timezone'>,
  request: Pick<BackfillRequest, 'from' | 'to' | 'last' | 'on'>,
  now: Instant,
): PlanRange {
  const resolved = resolveRange(request, { zone: timezone, now });
  if ('range' in resolved) return resolved.range;
  throw new RequestError(resolved.problem.code, resolved.problem.message, resolved.problem.remedy);
}
