import { typedIn } from '../contracts/typed.js';
import { RequestError } from '../contracts/errors.js';
import { formatInstant } from '../core/interval/interval.js';
import { quoteTable } from '../postgres/quote.js';
import type { Project } from '../project/project.js';
import { rowsOf, type Db } from '../store/store.js';

/**
 * Refuses a request for a dataset whose table somebody dropped: the ledger would go on saying that rows are there, and a table that is
 * made anew would hold only what is built from now on. The catalog is read, not asked: that takes no right on the schema.
 * @throws RequestError missing_table
 */
export async function requireTables(db: Db, project: Project, names: Iterable<string>): Promise<void> {
  const { name, environment, datasets } = project;
  const rows = await rowsOf<{ dataset: string; schema: string; table: string; since: Date | null; partitions: number }>(
    db,
    `SELECT t.dataset, t.schema_name AS schema, t.table_name AS table, count(*)::int AS partitions,
       CASE WHEN isfinite(min(p.starts_at)) THEN min(p.starts_at) END AS since
     FROM sluice.tables t JOIN sluice.partitions p USING (project, environment, dataset)
     WHERE t.project = ? AND t.environment = ? AND t.dataset = ANY (?::text[]) AND NOT EXISTS (
       SELECT 1 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
       WHERE n.nspname = t.schema_name AND c.relname = t.table_name)
     GROUP BY 1, 2, 3 ORDER BY 1`,
    [name, environment, [...names]],
  );
  for (const { dataset, schema, table, since, partitions } of rows) {
    const target = datasets.get(dataset)?.table;
    // Under another name now: all of it is built again there, as stale.
    if (target?.schema !== schema || target.name !== table) continue;
    const from = since === null ? '' : ` --from ${formatInstant(since.getTime())}`;
    throw new RequestError(
      'missing_table',
      `${dataset}: table ${quoteTable(target)} is gone, and the ledger has ${partitions} partitions of it`,
      `put it back, or take them out of the ledger, then build them again: ${typedIn(environment, `sluice forget ${dataset}${from}`)}`,
    );
  }
}
