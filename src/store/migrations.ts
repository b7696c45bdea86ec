import type { Knex } from 'knex';
import { TABLES } from './migration-tables.js';

/**
 * The versions of schema `sluice`, in order; never edited once released, only added to. knex runs what is missing under its
 * own lock table, in a transaction each.
 */
const VERSIONS: readonly { readonly name: string; readonly sql: string }[] = [
  {
    name: '0001_engine',
    sql: `
CREATE SEQUENCE sluice.epochs;

-- What was checked and registered, by content hash. Connection URLs are not in it.
CREATE TABLE sluice.definitions (
  hash text PRIMARY KEY,
  project text NOT NULL,
  environment text NOT NULL,
  files jsonb NOT NULL,
  registered_at timestamptz NOT NULL DEFAULT now()
);
-- What the workers run when a request names no definition.
CREATE TABLE sluice.deployments (
  project text, environment text,
  definition text NOT NULL REFERENCES sluice.definitions,
  deployed_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (project, environment)
);

-- The ledger: one row per published partition, written in the transaction that publishes its data.
CREATE TABLE sluice.partitions (
  project text, environment text, dataset text,
  starts_at timestamptz, ends_at timestamptz NOT NULL,
  backfill_id text NOT NULL,
  version text NOT NULL,
  rows bigint NOT NULL,
  published_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  epoch bigint NOT NULL,             -- of the execution that published it: a retry skips what its own epoch did
  publish_id uuid NOT NULL DEFAULT gen_random_uuid(),
  first_xid xid8 NOT NULL,           -- transaction that first published this partition
  changed_xid xid8 NOT NULL,         -- transaction that last changed its content
  xid xid8 NOT NULL,                 -- transaction that last published it
  snapshot pg_snapshot NOT NULL,     -- what it saw of its inputs
  digest text NOT NULL,              -- of its content
  moved boolean NOT NULL DEFAULT false,   -- a row of it went to another partition since
  read_from text,                    -- the alternate connection that it was read from
  PRIMARY KEY (project, environment, dataset, starts_at)
);

-- Which dataset owns which table: one owner.
CREATE TABLE sluice.tables (
  schema_name text, table_name text,
  project text NOT NULL, environment text NOT NULL, dataset text NOT NULL,
  created_by_sluice boolean NOT NULL,
  PRIMARY KEY (schema_name, table_name),
  UNIQUE (project, environment, dataset)
);

CREATE TABLE sluice.plans (
  fingerprint text PRIMARY KEY,
  project text NOT NULL, environment text NOT NULL,
  head jsonb NOT NULL,               -- everything but the datasets
  created_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE sluice.plan_datasets (
  fingerprint text REFERENCES sluice.plans ON DELETE CASCADE,
  position int NOT NULL,
  name text,
  body jsonb NOT NULL,
  PRIMARY KEY (fingerprint, name)
);

CREATE TABLE sluice.backfills (
  workflow_id text PRIMARY KEY,
  project text NOT NULL, environment text NOT NULL, backfill_id text NOT NULL,
  state text NOT NULL,
  request jsonb NOT NULL,
  plan text,
  status jsonb,
  started_at timestamptz NOT NULL DEFAULT now(),
  ended_at timestamptz
);
CREATE INDEX backfills_by_project ON sluice.backfills (project, environment, started_at DESC);

-- What a backfill holds while it runs. Ending it deletes the row, which waits for publishes under way and lets none follow.
CREATE TABLE sluice.reservations (
  workflow_id text PRIMARY KEY,
  epoch bigint NOT NULL UNIQUE,
  project text NOT NULL, environment text NOT NULL, backfill_id text NOT NULL,
  heartbeat_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE TABLE sluice.reserved (
  workflow_id text REFERENCES sluice.reservations ON DELETE CASCADE,
  project text NOT NULL, environment text NOT NULL, dataset text NOT NULL,
  starts_at timestamptz NOT NULL, ends_at timestamptz NOT NULL
);
CREATE INDEX reserved_by_dataset ON sluice.reserved (project, environment, dataset);
CREATE INDEX reserved_by_workflow ON sluice.reserved (workflow_id);

-- What one attempt of a slice holds of a reservation: a row per batch, ordinals [lo, hi) of a dataset.
CREATE TABLE sluice.leases (
  epoch bigint REFERENCES sluice.reservations (epoch) ON DELETE CASCADE,
  dataset text, lo int NOT NULL, hi int NOT NULL,
  slice int, attempt int,
  PRIMARY KEY (epoch, dataset, slice, attempt, lo)
);

-- The turn of a call under way, which no session holds: it goes with its lease, and counts no longer than until.
CREATE TABLE sluice.calls (
  epoch bigint, dataset text, slice int, attempt int, lo int,
  slot int, own int,                 -- of the database, and of the backfill's max_parallel
  until timestamptz NOT NULL,
  snapshot pg_snapshot NOT NULL,     -- from before the call: what it may not have seen of its inputs
  PRIMARY KEY (epoch, dataset, slice, attempt, lo),
  FOREIGN KEY (epoch, dataset, slice, attempt, lo) REFERENCES sluice.leases ON DELETE CASCADE
);

-- Rows of an extract that wait to be published, of the ordinals [lo, hi): in the table staging_<id>, and one for each chunk that inherits from it.
CREATE TABLE sluice.staging (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  project text NOT NULL, environment text NOT NULL,
  epoch bigint NOT NULL, dataset text NOT NULL, lo int NOT NULL, hi int NOT NULL,
  axis text,                         -- what low and high of its chunks are: pages or time
  UNIQUE (epoch, dataset, lo)
);
-- Unlogged like the tables that hold their rows: a crash of the server empties both, or neither.
CREATE UNLOGGED TABLE sluice.chunks (
  staging bigint REFERENCES sluice.staging ON DELETE CASCADE, n int,
  low text, high text,               -- [low, high); null is open
  rows bigint, digest text,          -- null until it is read
  source_xmin text,                  -- of the source's snapshot that it was read under: older transactions had ended
  complete boolean NOT NULL DEFAULT false,   -- all chunks are there, and what one snapshot of the source shows
  PRIMARY KEY (staging, n)
);

-- Read by the gate before every batch, so that control acts within one.
CREATE TABLE sluice.control (
  workflow_id text PRIMARY KEY,
  paused boolean NOT NULL DEFAULT false,
  cancelled boolean NOT NULL DEFAULT false,
  max_parallel int,
  priority int NOT NULL DEFAULT 3,
  -- Not in reservations: an update there would fail the publishes that hold its row FOR KEY SHARE (40001).
  heartbeat_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE TABLE sluice.limits (
  project text, environment text, connection text,
  slots int, rate double precision,
  reason text NOT NULL,
  database text,                     -- its identity, see governors; null while nobody could ask it
  governed boolean NOT NULL DEFAULT false,
  queue text,                        -- of the slices that are written here; null for a source
  next_turn_at timestamptz NOT NULL DEFAULT '-infinity',   -- of a source's rate
  updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (project, environment, connection)
);

-- The limit of a governed database, and why. Only the governor of the newest epoch writes here.
CREATE TABLE sluice.governors (
  database text PRIMARY KEY,         -- <system identifier>.<oid of the database>
  epoch bigint NOT NULL,
  holder text NOT NULL,              -- run of its workflow
  slots int NOT NULL, rate double precision,
  cause text NOT NULL, reading text, reason text NOT NULL,
  readings jsonb NOT NULL DEFAULT '{}',
  law jsonb,                         -- state of the law: whoever governs next goes on with it
  since timestamptz NOT NULL DEFAULT clock_timestamp(),    -- of these slots and this cause
  alive_at timestamptz NOT NULL DEFAULT clock_timestamp(), -- also while there is nothing to govern
  sensed_at timestamptz NOT NULL DEFAULT '-infinity'       -- older than 5 s: no batch passes
);
-- What a person says of a database, until released.
CREATE TABLE sluice.orders (
  database text PRIMARY KEY,
  slots int NOT NULL CHECK (slots >= 0),
  actor text NOT NULL, reason text,
  since timestamptz NOT NULL DEFAULT clock_timestamp()
);
-- Whenever limit or cause changed, and once a minute.
CREATE TABLE sluice.limit_history (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  at timestamptz NOT NULL DEFAULT clock_timestamp(),
  database text NOT NULL,
  slots int NOT NULL, rate double precision,
  cause text NOT NULL, reading text, reason text NOT NULL
);
CREATE INDEX limit_history_by_database ON sluice.limit_history (database, at);

-- What the gate goes by: the lowest of budget, governor and person; a governor that is silent lets nothing through.
CREATE VIEW sluice.in_force AS
SELECT l.project, l.environment, l.connection, l.database, l.governed, s.silent,
  least(l.slots, o.slots, CASE WHEN s.silent THEN 0 WHEN l.governed THEN g.slots END) AS slots,
  least(l.rate, CASE WHEN l.governed AND NOT s.silent THEN g.rate END) AS rate,
  CASE WHEN o.slots = 0 THEN 'held by ' || o.actor || coalesce(': ' || o.reason, '')
    WHEN s.silent THEN 'its governor is silent'
    WHEN l.governed AND g.slots = 0 THEN 'its governor holds: ' || g.reason END AS why
FROM sluice.limits l
LEFT JOIN sluice.orders o ON o.database = l.database
LEFT JOIN sluice.governors g ON g.database = l.database
CROSS JOIN LATERAL (SELECT l.governed AND coalesce(g.sensed_at, '-infinity') < clock_timestamp() - interval '5 s' AS silent) s;

-- Databases that do not answer, see src/core/throttle/breaker.ts: no row is as good as closed. The warehouse's own is in its workers.
CREATE TABLE sluice.breakers (
  project text, environment text, connection text,
  state text NOT NULL,               -- closed, open, trying, proving
  since timestamptz NOT NULL,        -- first failure
  failed int NOT NULL, answered int NOT NULL,
  pause_ms int NOT NULL,
  try_at timestamptz NOT NULL,
  cause text NOT NULL,
  PRIMARY KEY (project, environment, connection)
);

-- Values of data stay here, in the warehouse: a history or a log has code, column and interval only.
CREATE TABLE sluice.failures (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  failed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  project text NOT NULL, environment text NOT NULL, dataset text NOT NULL,
  starts_at timestamptz NOT NULL, ends_at timestamptz NOT NULL,
  backfill_id text NOT NULL,
  code text NOT NULL, sqlstate text,
  message text NOT NULL, detail text
);
CREATE INDEX failures_by_dataset ON sluice.failures (project, environment, dataset, starts_at);

CREATE TABLE sluice.journal (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  at timestamptz NOT NULL DEFAULT clock_timestamp(),
  project text NOT NULL, environment text NOT NULL, backfill_id text,
  actor text NOT NULL, action text NOT NULL, reason text, detail jsonb
);

-- What batches cost, learned: the next backfill starts with it.
CREATE TABLE sluice.profiles (
  project text, environment text, dataset text,
  profile jsonb NOT NULL,
  PRIMARY KEY (project, environment, dataset)
);
`,
  },
  { name: '0003_tables', sql: TABLES },
];

/** Names of the versions, oldest first: what `sluice.migrations` holds when all of them ran. */
export const VERSION_NAMES: readonly string[] = VERSIONS.map(({ name }) => name);

const source: Knex.MigrationSource<(typeof VERSIONS)[number]> = {
  getMigrations: () => Promise.resolve([...VERSIONS]),
  getMigrationName: ({ name }) => name,
  getMigration: ({ sql }) =>
    Promise.resolve({
      up: async (knex: Knex) => {
        await knex.raw(sql);
      },
      down: () => Promise.reject(new Error('schema sluice is only ever migrated forward')),
    }),
};

/** Key of the advisory lock under which schema and migrations are made: two processes may start at once. */
const MIGRATION_LOCK = 7_275_832_401n;

/** Brings schema `sluice` to this version. Cheap when it is there: one query. */
export async function migrate(knex: Knex): Promise<void> {
  if (await isCurrent(knex)) return;
  await knex.transaction(async (lock) => {
    await lock.raw('SELECT pg_advisory_xact_lock(?)', [String(MIGRATION_LOCK)]);
    if (await isCurrent(knex)) return;
    // `IF NOT EXISTS` asks for CREATE on the database even where the schema is there: a writer may own a schema and no more.
    const { rows } = await knex.raw<{ rows: { missing: boolean }[] }>(
      `SELECT to_regnamespace('sluice') IS NULL AS missing`,
    );
    if (rows[0]?.missing === true) await knex.raw('CREATE SCHEMA sluice');
    await knex.migrate.latest({ migrationSource: source, schemaName: 'sluice', tableName: 'migrations' });
  });
}

async function isCurrent(knex: Knex): Promise<boolean> {
  const last = VERSIONS.at(-1)?.name;
  const { rows } = await knex.raw<{ rows: { there: boolean }[] }>(
    `SELECT to_regclass('sluice.migrations') IS NOT NULL AS there`,
  );
  if (rows[0]?.there !== true) return false;
  const found = await knex.raw<{ rows: unknown[] }>('SELECT 1 FROM sluice.migrations WHERE name = ?', [last ?? null]);
  return found.rows.length > 0;
}
