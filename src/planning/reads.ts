import type { TableName } from '../contracts/table.js';
import { RequestError } from '../contracts/errors.js';
import type { PgClient } from '../postgres/pool.js';
import { showTable } from '../project/names.js';
import type { Dataset, Project } from '../project/project.js';

/**
 * Refuses what stands under `reads` and is not there, or is a view over tables of datasets that the SQL does not name: sluice
 * would not know that they are read, and would neither wait for them nor rebuild.
 * @throws RequestError missing_table, hidden_dependency
 */
export async function requireReads(
  client: PgClient,
  { datasets }: Pick<Project, 'datasets'>,
  dataset: Dataset,
): Promise<void> {
  if (dataset.reads.length === 0) return;
  const found = await relationsUnder(client, dataset.reads);
  const missing = dataset.reads.find((_, index) => !found.some(({ read }) => read === index));
  if (missing) {
    throw new RequestError(
      'missing_table',
      `${dataset.file}: reads: there is no table ${showTable(missing)}`,
      'correct the name, or leave it out',
    );
  }
  const tables = [...datasets.values()].filter(({ body }) => body.kind !== 'call');
  const byTable = new Map(tables.map(({ name, table }) => [showTable(table), name]));
  const known = new Set([dataset.name, ...dataset.needs.map((need) => need.dataset)]);
  for (const { read, schema, name } of found) {
    const hidden = byTable.get(showTable({ schema, name }));
    const view = dataset.reads[read];
    if (hidden === undefined || known.has(hidden) || !view) continue;
    throw new RequestError(
      'hidden_dependency',
      `${dataset.file}: reads: ${showTable(view)} reads the table of dataset ${hidden}, which the SQL does not name`,
      `read ${hidden} itself, so that this dataset waits for it and is rebuilt with it`,
    );
  }
}

interface Found extends TableName {
  /** Index of the table under `reads` through which it is read. */
  readonly read: number;
}

/** The relations themselves and, where they are views, all that they read, through views over views. */
async function relationsUnder(client: PgClient, reads: readonly TableName[]): Promise<Found[]> {
  const { rows } = await client.query<Found>(
    `WITH RECURSIVE seen AS (
       SELECT (r.n - 1)::int AS read, c.oid FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS r(schema, name, n)
       JOIN pg_namespace s ON s.nspname = r.schema JOIN pg_class c ON c.relnamespace = s.oid AND c.relname = r.name
         AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
       UNION
       SELECT seen.read, d.refobjid FROM seen JOIN pg_rewrite w ON w.ev_class = seen.oid
       JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = w.oid AND d.refclassid = 'pg_class'::regclass
     )
     SELECT seen.read, s.nspname AS schema, c.relname AS name FROM seen
     JOIN pg_class c ON c.oid = seen.oid JOIN pg_namespace s ON s.oid = c.relnamespace ORDER BY 1, 2, 3`,
    [reads.map(({ schema }) => schema), reads.map(({ name }) => name)],
  );
  return rows;
}
