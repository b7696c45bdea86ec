import { patched } from '@temporalio/workflow';

/**
 * Every change of workflow code that a recorded history could notice, by its patch id: why, since which version, and when the old path
 * may go. `changed(id)` asks for it.
 */
export const CHANGES = {
  'very-many-datasets': {
    why: '1,000 datasets kept one another busy for twelve minutes, with small slices, and for ten of them the backfill was said to be planning; and who had told a reader before it started told it again for two minutes after it had ended',
    since: '0.2.0',
    removableAfter: 'no backfill that 0.1 began is open',
  },
  'what-a-person-meant': {
    why: 'a skip without a range took all that was left of a dataset; it is refused, and what is skipped is kept in the warehouse, so that a later plan leaves it out; a retry that plans anew answered with how it had been',
    since: '0.2.0',
    removableAfter: 'no backfill that 0.1 began is open',
  },
} as const satisfies Readonly<Record<string, { why: string; since: string; removableAfter: string }>>;

/**
 * Whether this execution takes the new path. To be asked once, where it begins, and kept: an execution that was begun by older code is told no while it replays, and yes from then on.
 */
export function changed(id: keyof typeof CHANGES): boolean {
  return patched(id);
}
