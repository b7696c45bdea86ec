import { StoredProfile } from '../contracts/profile.js';
import { estimateMs, type Profile } from '../core/slice/profile.js';
import { rowsOf, type Db, type Scope } from './store.js';

/**
 * What the batches of each dataset cost, as the backfill before left it. A profile of another version is left out, and so is one
 * without a measurement: sizes are learned again within a few batches.
 */
export async function profilesOf(
  db: Db,
  { project, environment }: Scope,
  dataset: string | null = null,
): Promise<Map<string, Profile>> {
  const rows = await rowsOf<{ dataset: string; profile: unknown }>(
    db,
    `SELECT dataset, profile FROM sluice.profiles
     WHERE project = ? AND environment = ? AND dataset = coalesce(?::text, dataset)`,
    [project, environment, dataset],
  );
  return new Map(
    rows.flatMap(({ dataset: name, profile }) => {
      const { data } = StoredProfile.safeParse(profile);
      return data && data.samples > 0 ? [[name, data] as const] : [];
    }),
  );
}

/** Milliseconds per partition in batches of the usual size, of every dataset that was measured. */
export async function partitionCosts(db: Db, scope: Scope): Promise<Map<string, number>> {
  return new Map(
    [...(await profilesOf(db, scope))].map(([dataset, profile]) => {
      const size = Math.max(1, Math.floor(profile.reached));
      return [dataset, estimateMs(profile, size) / size];
    }),
  );
}
