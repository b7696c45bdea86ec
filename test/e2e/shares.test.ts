/** The gate on a real PostgreSQL, with sessions of two backfills: who ends a batch hands its slot on. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { createPool, type PgClient, type Pool } from '../../src/postgres/pool.js';
import { setControl, setLimit } from '../../src/store/control.js';
import { reserve } from '../../src/store/reservations.js';
import { openStore, type Db } from '../../src/store/store.js';
import { askTurn, giveTurn, type Verdict } from '../../src/warehouse/postgres/gate.js';
import { startPostgresOnly, type OnlyPostgres } from '../support/only-postgres.js';

const SCOPE = { project: 'p', environment: 'default' };

describe('two backfills at a gate', () => {
  let server: OnlyPostgres;
  let db: Db;
  let pool: Pool;
  before(async () => {
    server = await startPostgresOnly();
    const url = await server.url('warehouse');
    db = await openStore(() => Promise.resolve(url), 'warehouse');
    pool = createPool(() => Promise.resolve(url), 20);
  });
  after(async () => {
    await pool.close();
    await db.destroy();
    await server.stop();
  });

  /** A backfill's ways to ask, one for each session. */
  async function backfill(id: string, sessions: number): Promise<(() => Promise<Verdict>)[]> {
    const epoch = await reserve(db, SCOPE, id, id, []);
    await setControl(db, id, { priority: 3 });
    const who = { ...SCOPE, workflowId: id, backfillId: id, epoch, slice: 1, attempt: 1 };
    const clients = await Promise.all(Array.from({ length: sessions }, () => pool.acquire()));
    held.push(...clients);
    return clients.map((client) => () => askTurn(client, who, 'warehouse'));
  }
  const held: PgClient[] = [];

  it('share its slots evenly, whoever came first', async () => {
    const limit = { slots: 4, rate: null, database: null, governed: false, queue: null };
    await setLimit(db, SCOPE, 'warehouse', limit, 'test');
    const first = await backfill('first', 5);
    for (const ask of first.slice(0, 4)) assert.equal((await ask()).kind, 'go');
    const second = await backfill('second', 3);
    for (const ask of second) assert.equal((await ask()).kind, 'full');
    // Each of the first one's ends a batch and asks for the next, and those that wait ask again.
    const has = { first: 4, second: 0 };
    const going = new Set(first.slice(0, 4));
    for (let round = 0; round < 6; round++) {
      for (const [name, asks] of Object.entries({ first, second })) {
        for (const ask of asks) {
          const went = (await ask()).kind === 'go';
          const change = Number(went) - Number(going.has(ask));
          if (went) going.add(ask);
          else going.delete(ask);
          has[name === 'first' ? 'first' : 'second'] += change;
        }
      }
    }
    assert.deepEqual(has, { first: 2, second: 2 });
    // Who waits no more is given nothing: what its sessions leave goes to whoever asks.
    for (const client of held.slice(5)) await giveTurn(client);
    for (const ask of first.slice(0, 4)) await ask();
    const kinds = await Promise.all(first.slice(0, 4).map(async (ask) => (await ask()).kind));
    assert.deepEqual(kinds, ['go', 'go', 'go', 'go']);
    for (const client of held) client.release(true);
  });
});
