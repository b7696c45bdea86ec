import { record } from './control.js';
import { keysOf, rowsOf, type Db, type Scope } from './store.js';

/** What a person says of a database: at most so many batches at once, 0 holds; null takes it back. */
export interface Order {
  readonly slots: number | null;
  readonly actor: string;
  readonly reason?: string | undefined;
}

/** Puts a person's word into force: the gate reads it before the next batch, on a database with a governor or without. */
export async function placeOrder(
  db: Db,
  scope: Scope,
  { connection, database }: { readonly connection: string; readonly database: string },
  { slots, actor, reason }: Order,
): Promise<void> {
  await db.transaction(async (tx) => {
    // A worker may have started while nobody could ask the database what it is.
    await tx('sluice.limits')
      .where({ ...keysOf(scope), connection })
      .update({ database });
    if (slots === null) await tx('sluice.orders').where({ database }).delete();
    else
      await tx('sluice.orders')
        .insert({ database, slots, actor, reason: reason ?? null, since: tx.raw('clock_timestamp()') })
        .onConflict('database')
        .merge();
    const action = slots === null ? 'warehouse release' : slots === 0 ? 'warehouse hold' : 'warehouse limit';
    await record(tx, scope, {
      actor,
      action,
      ...(reason === undefined ? {} : { reason }),
      detail: { connection, database, slots },
    });
  });
}

/** A person's word that is in force. */
export interface PlacedOrder {
  readonly slots: number;
  readonly actor: string;
  readonly reason: string | null;
  readonly since: Date;
}

export async function orderOn(db: Db, database: string): Promise<PlacedOrder | null> {
  const [row] = await rowsOf<PlacedOrder>(
    db,
    'SELECT slots, actor, reason, since FROM sluice.orders WHERE database = ?',
    [database],
  );
  return row ?? null;
}
