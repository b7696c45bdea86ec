import { z } from 'zod';

export const REBUILD = ['missing', 'stale', 'all'] as const;
export const ORDER = ['oldest', 'newest'] as const;
export const ON_FAILURE = ['hold', 'fail'] as const;
export const ON_CONFLICT = ['refuse', 'wait', 'skip'] as const;

const names = z.union([
  z
    .string()
    .min(1)
    .transform((one) => [one]),
  z.array(z.string().min(1)),
]);

/**
 * What was asked: the input of the `backfill` workflow, as any Temporal client may send it by hand. Names and defaults are
 * those of the command line. Unknown keys are refused, so that a misspelt one is not silently dropped.
 */
export const BackfillRequest = z.strictObject({
  project: z.string().min(1),
  environment: z.string().min(1).default('default'),
  from: z.string().optional(),
  to: z.string().optional(),
  last: z.string().optional(),
  on: z.string().optional(),
  select: names.optional(),
  exclude: names.optional(),
  rebuild: z.enum(REBUILD).default('missing'),
  /** Fingerprint of a plan that must still be true. */
  plan: z.string().optional(),
  /** Hash of a registered definition; without it, what the workers deploy. */
  definition: z.string().optional(),
  reason: z.string().max(4000).optional(),
  ticket: z.string().max(400).optional(),
  requestedBy: z.string().max(400).optional(),
  priority: z.int().min(1).max(5).default(3),
  order: z.enum(ORDER).default('oldest'),
  onFailure: z.enum(ON_FAILURE).default('hold'),
  onConflict: z.enum(ON_CONFLICT).default('refuse'),
  maxParallel: z.int().min(1).optional(),
  overwrite: z.boolean().default(false),
});

/** A request with its defaults filled in. */
export type BackfillRequest = z.output<typeof BackfillRequest>;
/** A request as a caller writes it. */
export type BackfillInput = z.input<typeof BackfillRequest>;
