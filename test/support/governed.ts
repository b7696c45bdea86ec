import type pg from 'pg';
import { numberOf } from './backfills.js';
import { eventually } from './eventually.js';

/** What stands for a governed database. */
export interface GovernorRow {
  readonly database: string;
  readonly epoch: string;
  readonly slots: number;
  readonly cause: string;
  readonly reading: string | null;
  readonly reason: string;
  readonly sensed_at: Date;
}

/** Waits until what stands for the one governed database is as it should be. */
export function governorStands(
  warehouse: pg.Client,
  what: string,
  is: (row: GovernorRow) => boolean,
  withinMs?: number,
): Promise<GovernorRow> {
  return eventually(
    what,
    async () => {
      const { rows } = await warehouse.query<GovernorRow>('SELECT * FROM sluice.governors');
      return rows[0] !== undefined && is(rows[0]) && rows[0];
    },
    withinMs,
  );
}

/** Waits until its governor has been silent for so long that nothing passes. */
export function gateCloses(warehouse: pg.Client): Promise<boolean> {
  return eventually(
    'the gate is closed',
    async () => (await numberOf(warehouse, 'SELECT count(*) AS n FROM sluice.in_force WHERE silent')) === 1,
  );
}
