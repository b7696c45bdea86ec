/** A project of one dataset that many slices build at once, each in several batches: to look at what becomes of each of them. */
import type pg from 'pg';
import { BackfillClient } from '../../src/client/index.js';
import { audit } from './oracle.js';
import type { Lane } from './servers.js';
import { startWorkers, type Workers } from './workers.js';

export const RANGE = { from: '2024-01-01', to: '2024-01-14' };
/** Slices at once. */
export const SLOTS = 13;
/** Turns for those who wake too late, beside their successors: who is given none ends at the gate, and is never judged by the fence. */
export const SPARE_SLOTS = 2 * SLOTS;

/** Each partition says how often it was begun: a sequence forgets nothing in a rollback. And each lease says when it was taken. */
const WATCH = `
CREATE TABLE audit.leases (epoch bigint, slice int, attempt int, at timestamptz);
CREATE FUNCTION audit.lease() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  INSERT INTO audit.leases VALUES (NEW.epoch, NEW.slice, NEW.attempt, clock_timestamp()); RETURN NULL; END $$;
CREATE TRIGGER leased AFTER INSERT ON sluice.leases FOR EACH ROW EXECUTE FUNCTION audit.lease();
`;

export interface Many {
  readonly name: string;
  readonly client: BackfillClient;
  readonly workers: Workers;
  readonly on: <T>(work: (warehouse: pg.Client) => Promise<T>) => Promise<T>;
  /** The first number of the first row that a query answers. */
  readonly count: (sql: string, values?: readonly unknown[]) => Promise<number>;
  readonly stop: () => Promise<void>;
}

/** Starts a worker for it, and builds it once, so that it is known what a partition costs. */
export async function openMany(
  lane: Lane,
  name: string,
  slots = SLOTS,
  { dist, rate }: { readonly dist?: string | undefined; readonly rate?: number } = {},
): Promise<Many> {
  const folder = lane.stack.project(name, {
    'sluice.yaml': `project: ${name}
connections:
  warehouse: { type: postgres, url: "\${CHAOS_WAREHOUSE}", budget: { slots: ${slots}${rate === undefined ? '' : `, rate: ${rate}`} } }
warehouse: warehouse
schema: ${name}
defaults: { grain: hour, start: 2024-01-01 }
`,
    'datasets/ticks.sql': `/*
time: at
coalesce: never
allow: [nextval]
*/
SELECT :start AS at, extract(epoch FROM :end - :start)::int AS seconds, (SELECT nextval('public.begun') + 0 * length(pg_sleep(0.1)::text)) AS n
`,
  });
  await lane.on('warehouse', (warehouse) => warehouse.query('CREATE SEQUENCE IF NOT EXISTS public.begun'));
  const workers = await startWorkers(lane, folder, dist);
  const client = await BackfillClient.connect({ address: lane.stack.dev.info().temporalAddress, project: name });
  await lane.on('warehouse', async (warehouse) => {
    await audit(warehouse);
    const { rows } = await warehouse.query<{ there: boolean }>(
      `SELECT to_regclass('audit.leases') IS NOT NULL AS there`,
    );
    if (rows[0]?.there !== true) await warehouse.query(WATCH);
  });
  await client.start(RANGE, { id: 'first' });
  await client.result('first');
  return {
    name,
    client,
    workers,
    on: (work) => lane.on('warehouse', work),
    count: (sql, values = []) =>
      lane.on('warehouse', async (warehouse) => {
        const { rows } = await warehouse.query<{ n: number }>(sql, [...values]);
        return rows[0]?.n ?? 0;
      }),
    stop: async () => {
      lane.proxy.heal();
      await client.close();
      await workers.stop();
    },
  };
}
