/** Version 0004 of schema `sluice`: what a request meant, and the server that the ledger is bound to. */
export const SERVER = `
-- The range that a request meant when it first came, by started_at: planned again, it means the same.
ALTER TABLE sluice.backfills ADD COLUMN asked tstzrange;

-- The server whose transactions the ledger tells of. Moved to another one by a dump, ids start again: each server of the warehouse's life
-- has a base that is added to them, so that those of the ledger go on growing (docs/decisions/0023).
CREATE FUNCTION sluice.server_identity() RETURNS text LANGUAGE plpgsql STABLE AS $$
BEGIN
  RETURN (SELECT system_identifier::text FROM pg_catalog.pg_control_system());
EXCEPTION WHEN insufficient_privilege OR undefined_function OR feature_not_supported THEN
  -- Not for everybody on some managed services; a database that is made for a restore has another oid mostly.
  RETURN 'database ' || (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database());
END $$;
CREATE TABLE sluice.server (
  one boolean PRIMARY KEY DEFAULT true CHECK (one),
  identity text NOT NULL,
  base bigint NOT NULL,
  epoch bigint NOT NULL,             -- of what began before it came here: none of that may publish
  since timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE FUNCTION sluice.current_xid() RETURNS xid8 LANGUAGE sql VOLATILE AS $$
  SELECT CASE WHEN base = 0 THEN pg_catalog.pg_current_xact_id()
    ELSE (pg_catalog.pg_current_xact_id()::text::bigint + base)::text::xid8 END FROM sluice.server
$$;
-- STABLE: what the statement sees that calls it, not what is there a moment later.
CREATE FUNCTION sluice.current_snapshot() RETURNS pg_snapshot LANGUAGE sql STABLE AS $$
  SELECT CASE WHEN base = 0 THEN s ELSE format('%s:%s:%s', pg_snapshot_xmin(s)::text::bigint + base, pg_snapshot_xmax(s)::text::bigint + base,
    (SELECT string_agg((x::text::bigint + base)::text, ',' ORDER BY x::text::bigint) FROM pg_snapshot_xip(s) AS x))::pg_snapshot END
  FROM sluice.server, pg_catalog.pg_current_snapshot() AS s
$$;
-- The highest that the ledger tells of: what its rows are, and what their snapshots could see.
CREATE FUNCTION sluice.highest_xid() RETURNS bigint LANGUAGE sql STABLE AS $$
  SELECT coalesce(greatest((SELECT max(greatest(first_xid::text::bigint, changed_xid::text::bigint, xid::text::bigint,
      pg_snapshot_xmax(snapshot)::text::bigint)) FROM sluice.partitions),
    (SELECT max(pg_snapshot_xmax(snapshot)::text::bigint) FROM sluice.calls)), 0)
$$;
-- One that moved before there was this table has a ledger from the future.
INSERT INTO sluice.server (identity, base, epoch)
SELECT sluice.server_identity(), CASE WHEN high > pg_snapshot_xmax(pg_current_snapshot())::text::bigint THEN high ELSE 0 END, 0
FROM sluice.highest_xid() AS high;
`;
