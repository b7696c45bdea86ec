import { rowsOf, type Db, type Scope } from './store.js';

/**
 * Drops what executions that have ended left in staging. Nobody can be at work on it: whoever writes to a staging holds its
 * reservation's row while he does, and it is gone.
 */
export async function dropAbandoned(db: Db, { project, environment }: Scope): Promise<void> {
  const abandoned = await rowsOf<{ id: string }>(
    db,
    `SELECT s.id::text FROM sluice.staging s WHERE s.project = ? AND s.environment = ?
       AND NOT EXISTS (SELECT FROM sluice.reservations r WHERE r.epoch = s.epoch)`,
    [project, environment],
  );
  for (const { id } of abandoned) {
    await db.transaction(async (tx) => {
      await tx.raw('DROP TABLE IF EXISTS sluice.?? CASCADE', [`staging_${id}`]);
      await tx('sluice.staging').where({ id }).delete();
    });
  }
}
