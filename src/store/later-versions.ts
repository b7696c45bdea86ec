import { TABLES } from './migration-tables.js';
import { SERVER } from './server-schema.js';

/** A version of schema `sluice`. */
export interface Version {
  readonly name: string;
  readonly sql: string;
}

/** The versions since the engine's first, in order. */
export const LATER: readonly Version[] = [
  {
    name: '0002_shapes',
    sql: `
-- The columns that a dataset's partitions were built with, and the time that told their rows' partitions: shape is a hash of both.
CREATE TABLE sluice.shapes (
  project text, environment text, dataset text, shape text,
  columns jsonb NOT NULL,            -- [{ name, type }] in the order of the table
  time jsonb,                        -- { column, type, unit, timezone }; null for grain: none
  PRIMARY KEY (project, environment, dataset, shape)
);
ALTER TABLE sluice.partitions ADD COLUMN shape text;   -- null for what an older version published
`,
  },
  { name: '0003_tables', sql: TABLES },
  { name: '0004_server', sql: SERVER },
  {
    name: '0006_skipped',
    sql: `
-- What a person left out of a backfill: a later plan of it leaves that out too, and \`why\` says so.
CREATE TABLE sluice.skipped (
  workflow_id text NOT NULL,
  project text NOT NULL, environment text NOT NULL, dataset text NOT NULL,
  starts_at timestamptz NOT NULL, ends_at timestamptz NOT NULL,
  backfill_id text NOT NULL, actor text NOT NULL, reason text,
  skipped_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX skipped_by_dataset ON sluice.skipped (project, environment, dataset);
CREATE INDEX skipped_by_workflow ON sluice.skipped (workflow_id);
`,
  },
  {
    name: '0008_dataset_versions',
    sql: `
-- What a definition version, of which the ledger keeps the hash, says of a dataset: whoever takes its partitions for today's must know their key.
CREATE TABLE sluice.dataset_versions (
  project text, environment text, dataset text, version text,
  key jsonb NOT NULL,                -- names of columns; [] for none
  seen_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (project, environment, dataset, version)
);
INSERT INTO sluice.dataset_versions (project, environment, dataset, version, key)
SELECT p.project, p.environment, d.name, d.body ->> 'version', d.body -> 'key'
FROM sluice.plans p JOIN sluice.plan_datasets d USING (fingerprint) WHERE d.body -> 'key' IS NOT NULL
ON CONFLICT DO NOTHING;
`,
  },
];
