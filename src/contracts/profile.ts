import { z } from 'zod';
import type { Profile } from '../core/slice/profile.js';

/** What the batches of a dataset cost, as a backfill leaves it to the next. */
export const StoredProfile: z.ZodType<Profile> = z.object({
  fixedMs: z.number(),
  perPartitionMs: z.number(),
  samples: z.number(),
  reached: z.number(),
  sums: z.tuple([z.number(), z.number(), z.number(), z.number(), z.number()]),
});
