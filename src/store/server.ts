import type { Knex } from 'knex';

/**
 * Binds the ledger to the server that the warehouse is on. Restored from a dump on another one, its transaction ids begin again, and what
 * happens there would count as seen by all that is older. So they get a new base, above all that the ledger tells of; and a backfill that
 * began on the other server may not go on as if nothing had happened: what it published after the dump is not here.
 */
export async function bindServer(db: Knex): Promise<void> {
  if (await isBound(db)) return;
  await db.transaction(async (tx) => {
    await tx.raw('SELECT FROM sluice.server FOR UPDATE');
    if (!(await isBound(tx))) await tx.raw(REBASE);
  });
}

async function isBound(db: Knex): Promise<boolean> {
  const { rows } = await db.raw<{ rows: unknown[] }>(
    'SELECT 1 FROM sluice.server WHERE identity = sluice.server_identity()',
  );
  return rows.length > 0;
}

/** The row as it was is what the statement sees, also after it has changed it. */
const REBASE = `WITH bound AS (UPDATE sluice.server s SET identity = sluice.server_identity(), base = greatest(s.base, sluice.highest_xid()),
    epoch = nextval('sluice.epochs'), since = clock_timestamp() RETURNING s.identity, s.base)
  INSERT INTO sluice.journal (project, environment, actor, action, detail)
  SELECT p.project, p.environment, 'sluice', 'server', jsonb_build_object('from', s.identity, 'to', bound.identity, 'base', bound.base)
  FROM (SELECT DISTINCT project, environment FROM sluice.partitions) p, sluice.server s, bound`;
