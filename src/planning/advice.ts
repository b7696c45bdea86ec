import type { StoredDataset } from '../contracts/plan.js';
import type { DatasetFacts } from '../core/advice/types.js';
import { countRuns, partitionAt, type Run } from '../core/interval/runs.js';
import { explain, nodesOf, type PlanNode } from '../postgres/explain.js';
import type { Pool, PgClient } from '../postgres/pool.js';
import { quoteIdent, quoteTable } from '../postgres/quote.js';
import type { Project } from '../project/project.js';
import { selectSql } from '../source/postgres/extract.js';
import { sqlInstant } from '../store/ledger.js';
import { coalescingOf } from './coalescing.js';
import { runsOfJson } from './json.js';

/** Partitions whose statement is compared with that of one. */
const TOGETHER = 16;
/** A scan of less is as quick as an index. */
const TABLE_ROWS = 10_000;
/** An index is worth it where a partition reads at most this part of a table, and where the scan is most of what it costs. */
const PART_READ = 0.2;
const SCAN_PART = 0.5;
/** A row through an index costs more than one of a scan. */
const INDEX_ROW = 3;
/** A batch is more than its statement: where the planner said 15.9 times as fast, 6.3 was measured (`bench/advice.ts`). */
const BATCH_COSTS = 2;
const LOOK_MS = 2_000;

interface Deps {
  readonly project: Project;
  readonly pool: (connection: string) => Pool;
}

type Cheaper = Pick<DatasetFacts, 'joining' | 'index'>;

/** What would make a partition of a planned dataset cheaper, as far as the planner of its database knows. Runs no statement of the project. */
export async function cheaper({ project, pool }: Deps, dataset: StoredDataset): Promise<Cheaper> {
  const { spec } = dataset;
  const none = { joining: null, index: null };
  if (spec.kind === 'call' || dataset.publish === 'view' || (spec.kind === 'extract' && spec.scan === 'once'))
    return none;
  const connection = spec.kind === 'extract' ? spec.connection : project.warehouse;
  const runs = runsOfJson(dataset.runs);
  const spans = spansOf(runs);
  if (!spans) return none;
  return pool(connection)
    .use(async (client) => {
      const planOf = (span: Span): Promise<PlanNode> =>
        spec.kind === 'extract'
          ? look(client, () => explain(client, selectSql(spec, span)))
          : look(client, () => explain(client, spec.sql, [span.start, span.end]));
      const one = await planOf(spans.one);
      const joining = couldJoin(project, dataset) ? part(one, await planOf(spans.together), spans.count) : null;
      return { joining, index: await missingIndex(client, one) };
    })
    .catch(() => none);
}

interface Span {
  readonly start: string;
  readonly end: string;
}

function spansOf(runs: readonly Run[]): { one: Span; together: Span; count: number } | null {
  const total = countRuns(runs);
  const at = Math.floor(Math.max(0, total - TOGETHER) / 2);
  const count = Math.min(TOGETHER, total);
  const [first, last] = [partitionAt(runs, at), partitionAt(runs, at + count - 1)];
  if (!first || !last || !Number.isFinite(first.start)) return null;
  const of = (start: number, end: number): Span => ({ start: sqlInstant(start), end: sqlInstant(end) });
  return { one: of(first.start, first.end), together: of(first.start, last.end), count };
}

/** A plan that takes long to make must not hold up the answer. */
async function look<T>(client: PgClient, ask: () => Promise<T>): Promise<T> {
  await client.query('BEGIN READ ONLY');
  try {
    await client.query(`SET LOCAL statement_timeout = ${LOOK_MS}`);
    return await ask();
  } finally {
    await client.query('ROLLBACK');
  }
}

function couldJoin(project: Project, { name, time, spec }: StoredDataset): boolean {
  const dataset = project.datasets.get(name);
  if (spec.kind !== 'transform' || spec.coalescing?.code !== 'never' || dataset?.body.kind !== 'transform')
    return false;
  return coalescingOf({ ...dataset, coalesce: 'auto' }, dataset.body, time?.type ?? '')?.joined === true;
}

function part(one: PlanNode, together: PlanNode, count: number): number {
  return Math.min(1, (BATCH_COSTS * together['Total Cost']) / count / Math.max(one['Total Cost'], 0.01));
}

/** The index on the column that its costliest scan is filtered by, where it reads a small part of a large table. */
async function missingIndex(client: PgClient, plan: PlanNode): Promise<DatasetFacts['index']> {
  const [scan] = nodesOf(plan)
    .filter((node) => node['Node Type'] === 'Seq Scan' && node.Filter !== undefined)
    .sort((a, b) => b['Total Cost'] - a['Total Cost']);
  const column = /^\(*(?:"(?:[^"]|"")+"|\w+)\.("(?:[^"]|"")+"|\w+) (?:[<>]=?|=) /.exec(scan?.Filter ?? '')?.[1];
  const { Schema: schema, 'Relation Name': name } = scan ?? {};
  if (!scan || column === undefined || schema === undefined || name === undefined) return null;
  const table = quoteTable({ schema, name });
  const { rows } = await client.query<{ rows: number }>(
    'SELECT reltuples::float8 AS rows FROM pg_class WHERE oid = to_regclass($1)',
    [table],
  );
  const all = rows[0]?.rows ?? 0;
  const [read, share] = [scan['Plan Rows'] / Math.max(1, all), scan['Total Cost'] / Math.max(plan['Total Cost'], 0.01)];
  if (all < TABLE_ROWS || read > PART_READ || share < SCAN_PART) return null;
  const plain = column.startsWith('"') ? column : quoteIdent(column);
  return {
    statement: `CREATE INDEX CONCURRENTLY ON ${table} (${plain})`,
    part: 1 - Math.min(1, share) * (1 - Math.min(1, INDEX_ROW * read)),
  };
}
