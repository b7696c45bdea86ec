import type { Logger } from 'pino';
import { rowsOf, type Db, type Scope } from './store.js';

/**
 * Drops what executions that have ended left in staging. Nobody can be at work on it: whoever writes to a staging holds its
 * reservation's row while he does, and it is gone. What cannot be dropped now is tried again when the next backfill opens or ends.
 */
export async function dropAbandoned(
  { db, log }: { readonly db: Db; readonly log: Logger },
  { project, environment }: Scope,
): Promise<void> {
  const abandoned = await rowsOf<{ id: string }>(
    db,
    `SELECT s.id::text FROM sluice.staging s WHERE s.project = ? AND s.environment = ?
       AND NOT EXISTS (SELECT FROM sluice.reservations r WHERE r.epoch = s.epoch)`,
    [project, environment],
  );
  for (const { id } of abandoned) {
    try {
      await db.transaction(async (tx) => {
        await tx.raw(`SET LOCAL lock_timeout = '5s'`);
        await tx.raw('DROP TABLE IF EXISTS sluice.?? CASCADE', [`staging_${id}`]);
        await tx('sluice.staging').where({ id }).delete();
      });
    } catch (error) {
      log.warn({ err: error, staging: id }, 'could not drop staging that nobody needs');
    }
  }
}
