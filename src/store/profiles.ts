import { z } from 'zod';
import { estimateMs } from '../core/slice/profile.js';
import { rowsOf, type Db } from './store.js';

interface Scope {
  readonly project: string;
  readonly environment: string;
}

/** What the batches of a dataset cost, as the backfill before left it; null where none has. */
export async function readProfile(db: Db, { project, environment }: Scope, dataset: string): Promise<unknown> {
  const [row] = await rowsOf<{ profile: unknown }>(
    db,
    'SELECT profile FROM sluice.profiles WHERE project = ? AND environment = ? AND dataset = ?',
    [project, environment, dataset],
  );
  return row?.profile ?? null;
}

const Known = z.object({
  fixedMs: z.number(),
  perPartitionMs: z.number(),
  reached: z.number(),
  samples: z.number(),
  sums: z.tuple([z.number(), z.number(), z.number(), z.number(), z.number()]),
});

/** Milliseconds per partition in batches of the usual size, of every dataset that was measured. A profile of another version is left out. */
export async function partitionCosts(db: Db, { project, environment }: Scope): Promise<Map<string, number>> {
  const rows = await rowsOf<{ dataset: string; profile: unknown }>(
    db,
    'SELECT dataset, profile FROM sluice.profiles WHERE project = ? AND environment = ?',
    [project, environment],
  );
  return new Map(
    rows.flatMap(({ dataset, profile }) => {
      const known = Known.safeParse(profile);
      if (!known.success) return [];
      const size = Math.max(1, Math.floor(known.data.reached));
      return [[dataset, estimateMs(known.data, size) / size] as const];
    }),
  );
}
