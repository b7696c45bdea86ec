import type { PgClient } from '../../postgres/pool.js';
import { plural } from '../../core/words.js';
import { known, rowOf, unknown, within, type Sensed } from './sense.js';

/** Readings of the server as a whole: replicas, archive, checkpoints, autovacuum. The same rules as in `sense.ts`. */

const NEEDS_MONITOR = (what: string): string => `this role may not see ${what}: GRANT pg_monitor to it`;

/** `replay_lag` of a replica that has caught up is what was last measured: what it has replayed all of is not behind. */
const REPLICATION = `
  SELECT pg_has_role('pg_read_all_stats', 'USAGE') AS sees, coalesce(max(extract(epoch FROM CASE WHEN behind > 0 THEN replay_lag END)), 0)::float8 AS seconds,
    coalesce(max(behind), 0)::float8 AS bytes, count(*)::int AS replicas
  FROM (SELECT replay_lag, greatest(0, pg_wal_lsn_diff(
      CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END, replay_lsn)) AS behind
    FROM pg_stat_replication WHERE state IN ('streaming', 'catchup')) r`;

export async function senseReplication(client: PgClient): Promise<Sensed> {
  return within(['lag_seconds', 'lag_bytes'], async () => {
    const row = await rowOf<{ sees: boolean; seconds: number; bytes: number; replicas: number }>(client, REPLICATION);
    if (!row.sees) {
      const reason = NEEDS_MONITOR('how far replicas are');
      return { lag_seconds: unknown(reason), lag_bytes: unknown(reason) };
    }
    if (row.replicas === 0) return { lag_seconds: known(0, 'no replica'), lag_bytes: known(0, 'no replica') };
    return {
      lag_seconds: known(row.seconds, `replica lag ${row.seconds.toFixed(1)} s`),
      lag_bytes: known(row.bytes, `replica lag ${Math.round(row.bytes / 1024)} kB of WAL`),
    };
  });
}

/** A slot that is lost is lost, whatever we do; one that is unreserved can still be saved by writing less. */
const SLOTS = `
  SELECT count(*) FILTER (WHERE wal_status = 'unreserved')::int AS leaving, count(*) FILTER (WHERE wal_status = 'lost')::int AS lost
  FROM pg_replication_slots`;

export async function senseSlots(client: PgClient): Promise<Sensed> {
  return within(['slots_lost'], async () => {
    const { leaving, lost } = await rowOf<{ leaving: number; lost: number }>(client, SLOTS);
    const gone = lost === 0 ? '' : `, and ${lost} have lost it already`;
    return { slots_lost: known(leaving, `WAL of ${plural(leaving, 'replication slot')} is about to go${gone}`) };
  });
}

export async function senseArchive(client: PgClient): Promise<Sensed> {
  return within(['archive'], async () => {
    const { on, sees } = await rowOf<{ on: boolean; sees: boolean }>(
      client,
      `SELECT current_setting('archive_mode') <> 'off' AS on, has_function_privilege('pg_ls_archive_statusdir()', 'EXECUTE') AS sees`,
    );
    if (!on) return { archive: known(0, 'WAL is not archived') };
    if (!sees) return { archive: unknown(NEEDS_MONITOR('what waits to be archived')) };
    const { n } = await rowOf<{ n: number }>(
      client,
      `SELECT count(*)::int AS n FROM pg_ls_archive_statusdir() WHERE name LIKE '%.ready'`,
    );
    return { archive: known(n, `${n} WAL segments wait to be archived`) };
  });
}

/** One total since the server began, at a moment. */
export interface Sample {
  readonly at: number;
  readonly total: number;
}

const MINUTE_MS = 60_000;

/** Checkpoints that were asked for in the last minute, by WAL that filled up: `samples` are those of the last minute, and are added to. */
export async function senseCheckpoints(client: PgClient, now: number, samples: Sample[]): Promise<Sensed> {
  return within(['checkpoints'], async () => {
    const { since17 } = await rowOf<{ since17: boolean }>(
      client,
      `SELECT to_regclass('pg_catalog.pg_stat_checkpointer') IS NOT NULL AS since17`,
    );
    const { total } = await rowOf<{ total: string }>(
      client,
      since17
        ? 'SELECT num_requested AS total FROM pg_stat_checkpointer'
        : 'SELECT checkpoints_req AS total FROM pg_stat_bgwriter',
    );
    const [first] = samples;
    // Counted anew after a crash or a reset.
    if (first && first.total > Number(total)) samples.length = 0;
    samples.push({ at: now, total: Number(total) });
    while ((samples[0]?.at ?? now) < now - MINUTE_MS) samples.shift();
    const n = Number(total) - (samples[0]?.total ?? Number(total));
    return { checkpoints: known(n, `${n} checkpoints were asked for in the last minute`) };
  });
}

/** Of tables that sluice owns, and what they are partitioned into. Only in the warehouse is there such a list. */
const AUTOVACUUM = `
  WITH t AS (SELECT c.oid FROM sluice.tables o JOIN pg_namespace n ON n.nspname = o.schema_name JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = o.table_name)
  SELECT count(*)::int AS n FROM pg_stat_progress_vacuum v JOIN pg_stat_activity a USING (pid)
  WHERE a.backend_type = 'autovacuum worker' AND v.datname = current_database()
    AND (v.relid IN (SELECT oid FROM t) OR v.relid IN (SELECT inhrelid FROM pg_inherits WHERE inhparent IN (SELECT oid FROM t)))`;

export async function senseAutovacuum(client: PgClient, isWarehouse: boolean): Promise<Sensed> {
  return within(['autovacuum'], async () => {
    if (!isWarehouse) return { autovacuum: known(0, 'sluice writes no table here') };
    const { n } = await rowOf<{ n: number }>(client, AUTOVACUUM);
    return { autovacuum: known(n, `autovacuum works on ${plural(n, 'table')} that sluice writes`) };
  });
}

/**
 * Five probes in one go: a look-up by primary key and about 2 ms of one CPU each, timed by the server, so that a busy worker of ours
 * is not taken for a busy database.
 */
const CANARY = `
  SELECT extract(epoch FROM ended - began)::float8 * 1000 AS ms, looked, counted FROM (   -- what nobody asks for is not worked out
    SELECT i, clock_timestamp() AS began, (SELECT count(relname) FROM pg_class WHERE oid = 1259 + i * 0) AS looked,
      (SELECT sum(x * i) FROM generate_series(1, 10000) AS x) AS counted, clock_timestamp() AS ended
    FROM generate_series(1, 5) AS i OFFSET 0) p`;

export async function senseCanary(client: PgClient): Promise<{ sensed: Sensed; probes: readonly number[] }> {
  let probes: number[] = [];
  const sensed = await within(['canary'], async () => {
    const { rows } = await client.query<{ ms: number }>(CANARY);
    probes = rows.map(({ ms }) => ms);
    const last = probes.at(-1) ?? 0;
    return { canary: known(last, `the canary query took ${last.toFixed(1)} ms`) };
  });
  return { sensed, probes };
}
