/** Version 0003 of schema `sluice`: the ledger speaks of tables. Never edited once released. */
export const TABLES = `
-- A dataset may own tables that it had before: one is current, and of that one its rows in sluice.partitions speak. Rows of the others
-- are kept there too, under the quoted name of their table, which is no dataset's name.
ALTER TABLE sluice.tables
  ADD COLUMN current boolean NOT NULL DEFAULT true,
  ADD COLUMN is_view boolean NOT NULL DEFAULT false,
  ADD COLUMN relation oid,           -- what had that name when sluice last wrote there; dropped and made again it is another
  ADD COLUMN ledger oid;             -- of sluice.partitions at that time: another one, and all was restored from a dump, where oids say nothing
ALTER TABLE sluice.tables DROP CONSTRAINT tables_project_environment_dataset_key;
CREATE UNIQUE INDEX tables_current ON sluice.tables (project, environment, dataset) WHERE current;
UPDATE sluice.tables t SET relation = c.oid, ledger = 'sluice.partitions'::regclass, is_view = c.relkind = 'v'
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = t.schema_name AND c.relname = t.table_name;

-- Tables of the datasets that a partition was built from, by dataset. Null: built before this was kept.
ALTER TABLE sluice.partitions ADD COLUMN inputs jsonb;
`;
