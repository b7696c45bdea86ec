import { z } from 'zod';
import { FlagValue } from './project.js';
import type { Asked } from './status.js';

export const REBUILD = ['missing', 'stale', 'all'] as const;
export const ORDER = ['oldest', 'newest'] as const;
export const ON_FAILURE = ['hold', 'fail'] as const;
export const ON_CONFLICT = ['refuse', 'wait', 'skip'] as const;

export const MAX_PARALLEL = 10_000;

/** Names of projects and environments become parts of task queues and search attributes. */
export const NAME = /^[A-Za-z_][A-Za-z0-9_-]{0,62}$/;

/** As with messages: what a request holds must fit into what Temporal carries, beside all else. */
const selection = z.string().min(1).max(400);
const names = z.union([selection.transform((one) => [one]), z.array(selection).max(2_000)]);
const time = z.string().max(100);
const name = z.string().regex(NAME, 'not a name: letters, digits, _ and -, at most 63');

/**
 * What was asked: the input of the `backfill` workflow, as any Temporal client may send it by hand. Names and defaults are
 * those of the command line. Unknown keys are refused, so that a misspelt one is not silently dropped.
 */
export const BackfillRequest = z.strictObject({
  project: name,
  environment: name.default('default'),
  from: time.optional(),
  to: time.optional(),
  last: time.optional(),
  on: time.optional(),
  /** The range is a bound: nothing outside of it is built, and what is left stale by that is said. */
  only: z.boolean().optional(),
  select: names.optional(),
  exclude: names.optional(),
  rebuild: z.enum(REBUILD).default('missing'),
  /** Fingerprint of a plan that must still be true. */
  plan: z.string().max(100).optional(),
  /** Hash of a registered definition; without it, what the workers deploy. */
  definition: z.string().max(100).optional(),
  /** Values of the project's flags, for this backfill alone. */
  set: z.record(z.string().max(51), FlagValue).optional(),
  reason: z.string().max(4000).optional(),
  ticket: z.string().max(400).optional(),
  requestedBy: z.string().max(400).optional(),
  priority: z.int().min(1).max(5).default(3),
  order: z.enum(ORDER).default('oldest'),
  onFailure: z.enum(ON_FAILURE).default('hold'),
  onConflict: z.enum(ON_CONFLICT).default('refuse'),
  maxParallel: z.int().min(1).max(MAX_PARALLEL).optional(),
  overwrite: z.boolean().default(false),
});

/** Who asked, for what and why, in a few words. */
export function askedOf({
  requestedBy: by,
  reason,
  ticket,
  select,
  from,
  to,
  on,
  last,
  only,
}: Omit<BackfillInput, 'project'>): Asked {
  const what = select === undefined ? 'the whole project' : [select].flat().join(' ');
  const when = on ?? (last === undefined ? [from, to].filter((one) => one !== undefined).join(' … ') : `last ${last}`);
  return {
    ...(by === undefined ? {} : { by }),
    ...(reason === undefined ? {} : { reason }),
    ...(ticket === undefined ? {} : { ticket }),
    what: `${what} ${when}${only === true ? ' only' : ''}`.trim().slice(0, 200),
  };
}

/** A request with its defaults filled in. */
export type BackfillRequest = z.output<typeof BackfillRequest>;
/** A request as a caller writes it. */
export type BackfillInput = z.input<typeof BackfillRequest>;
