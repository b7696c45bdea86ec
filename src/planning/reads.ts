import { RequestError } from '../contracts/errors.js';
import type { TableName } from '../contracts/table.js';
import { topological } from '../core/graph/order.js';
import { systemError } from '../postgres/error.js';
import type { PgClient } from '../postgres/pool.js';
import { showTable } from '../project/names.js';
import { hiddenReading } from '../project/reads/said.js';
import type { Dataset, Project } from '../project/project.js';
import type { PlanningDeps } from './deps.js';

/**
 * The project as the catalog completes it: a view outside of it, that a transform reads, is followed to the datasets below it, through
 * views over views. Each becomes a dependency like one that the SQL names; of which interval, `needs` must say before it is built.
 *
 * Done before anything is selected or planned, as `+up`, the order and coverage all go by these edges.
 * @throws RequestError cycle
 */
export async function followViews({ project, pool }: Pick<PlanningDeps, 'project' | 'pool'>): Promise<Project> {
  const asked = [...project.datasets.values()].flatMap((dataset) =>
    outsideTables(dataset).map((table) => ({ dataset, table })),
  );
  if (asked.length === 0) return project;
  const tables = asked.map(({ table }) => table);
  const found = await pool(project.warehouse)
    .use((client) => relationsUnder(client, tables, project))
    .catch((error: unknown) => {
      throw systemError(error, project.warehouse);
    });
  const seen = found.flatMap(({ read, dataset: upstream }): Hidden[] => {
    const { dataset: reader, table: view } = asked[read] ?? {};
    if (upstream === undefined || !reader || !view) return [];
    return reader.needs.some((need) => need.dataset === upstream) ? [] : [{ reader, upstream, view }];
  });
  return seen.length === 0 ? project : withEdges(project, seen);
}

/** A dataset that a reader reads through a view, and its SQL does not name. */
interface Hidden {
  readonly reader: Dataset;
  readonly upstream: string;
  readonly view: TableName;
}

function withEdges(project: Project, hidden: readonly Hidden[]): Project {
  const needsOf = (one: Dataset): Dataset['needs'] => {
    const names = new Set(hidden.filter(({ reader }) => reader.name === one.name).map(({ upstream }) => upstream));
    const needs = [...one.needs, ...[...names].map((dataset) => ({ dataset }))];
    return needs.toSorted((a, b) => (a.dataset < b.dataset ? -1 : 1));
  };
  const itself = hidden.find(({ reader, upstream }) => reader.name === upstream);
  if (itself) refuseCycle(project, hidden, [itself.upstream, itself.upstream]);
  const datasets = new Map([...project.datasets].map(([name, one]) => [name, { ...one, needs: needsOf(one) }]));
  const ordered = topological(datasets.keys(), (name) =>
    (datasets.get(name)?.needs ?? []).map(({ dataset }) => dataset),
  );
  if ('cycle' in ordered) return refuseCycle(project, hidden, ordered.cycle);
  const inOrder = ordered.order.flatMap((name) => {
    const dataset = datasets.get(name);
    return dataset ? [[name, dataset] as const] : [];
  });
  return { ...project, datasets: new Map(inOrder) };
}

function refuseCycle({ datasets }: Project, hidden: readonly Hidden[], cycle: readonly string[]): never {
  const steps = cycle.slice(1).map((name, i) => {
    const through = hidden.find(({ reader, upstream }) => reader.name === cycle[i] && upstream === name);
    return through ? `${name} (through ${showTable(through.view)})` : name;
  });
  throw new RequestError(
    'cycle',
    `${datasets.get(cycle[0] ?? '')?.file ?? ''}: datasets read each other in a circle: ${[cycle[0], ...steps].join(' → ')}`,
    'one of them must read something else than that view',
  );
}

/**
 * Refuses what a transform reads outside of the project and is not there, or is older than what it is made of: a materialized view over
 * a dataset shows what that was at its last REFRESH, which no ledger knows of. And a need that nothing reads.
 * @throws RequestError missing_table, materialized_view, needs_unread, reads_beyond
 */
export async function requireReads(client: PgClient, project: Project, dataset: Dataset): Promise<void> {
  const { file, reads } = dataset;
  const found = await relationsUnder(client, reads, project);
  const missing = reads.find((_, index) => !found.some(({ read }) => read === index));
  if (missing) {
    throw new RequestError(
      'missing_table',
      `${file}: reads: there is no table ${showTable(missing)}`,
      'correct the name, or leave it out',
    );
  }
  const frozen = found.find((one) => one.dataset !== undefined && one.frozen !== null);
  if (frozen?.dataset !== undefined) {
    throw new RequestError(
      'materialized_view',
      `${file}: reads: ${frozen.frozen} is a materialized view over dataset ${frozen.dataset}: it shows what that was at its last REFRESH`,
      `read ${frozen.dataset} itself or through a plain view, or make the query of ${frozen.frozen} a dataset`,
    );
  }
  requireNeedsRead(project, dataset, found);
  requireHiddenSaid(project, dataset, found);
}

/** How a view reads a dataset is not in the project's SQL: which interval of it counts is its reader's word, and must be there. */
function requireHiddenSaid(
  { datasets }: Project,
  { name, file, body, axis, needs }: Dataset,
  found: readonly Found[],
): void {
  if (body.kind !== 'transform' || axis.grain === 'none') return;
  const hidden = needs.find(({ dataset, lookback, window, word }) => {
    const upstream = datasets.get(dataset);
    const partitioned = upstream?.body.kind !== 'call' && upstream?.axis.grain !== 'none';
    const unsaid = lookback === undefined && window === undefined && word === undefined;
    return partitioned && dataset !== name && unsaid && found.some((one) => one.dataset === dataset);
  });
  if (!hidden) return;
  const { code, message, remedy } = hiddenReading(hidden.dataset);
  throw new RequestError(code, `${file}: ${message}, through a view`, remedy);
}

/** By the table's name alone: in an environment with another schema a view goes on reading the tables that it was made over. */
function requireNeedsRead({ datasets }: Project, { file, body, needs }: Dataset, found: readonly Found[]): void {
  if (body.kind !== 'transform') return;
  const named = new Set(body.statement.relations.map(({ dataset }) => dataset));
  const unread = needs.find(({ dataset }) => {
    const upstream = datasets.get(dataset);
    const seen = found.some(({ name }) => name === upstream?.table.name);
    return upstream?.body.kind !== 'call' && !named.has(dataset) && !seen;
  });
  if (!unread) return;
  throw new RequestError(
    'needs_unread',
    `${file}: needs: neither the SQL nor a view under reads reads ${unread.dataset}`,
    `leave ${unread.dataset} out of needs, or read it`,
  );
}

/** What the SQL of a transform reads of the tables that it declares. */
function outsideTables({ body, reads }: Dataset): TableName[] {
  if (body.kind !== 'transform') return [];
  const { relations } = body.statement;
  return reads.filter((table) =>
    relations.some(
      ({ schema = 'public', name, dataset }) => dataset === undefined && name === table.name && schema === table.schema,
    ),
  );
}

interface Found extends TableName {
  /** Index of the table through which it is read. */
  readonly read: number;
  /** A materialized view on the way, as it is written in SQL. */
  readonly frozen: string | null;
  /** Whose table it is. */
  readonly dataset?: string;
}

/** The relations themselves and, where they are views, all that they read, down to the tables of datasets. */
export async function relationsUnder(
  client: PgClient,
  reads: readonly TableName[],
  { datasets }: Pick<Project, 'datasets'>,
): Promise<Found[]> {
  if (reads.length === 0) return [];
  const owned = [...datasets.values()].filter(({ body }) => body.kind !== 'call');
  const { rows } = await client.query<Found>(
    `WITH RECURSIVE owned AS (
       SELECT c.oid FROM unnest($3::text[], $4::text[]) AS o(schema, name)
       JOIN pg_namespace s ON s.nspname = o.schema JOIN pg_class c ON c.relnamespace = s.oid AND c.relname = o.name
     ), seen AS (
       SELECT (r.n - 1)::int AS read, c.oid, CASE c.relkind WHEN 'm' THEN c.oid::regclass::text END AS frozen
       FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS r(schema, name, n)
       JOIN pg_namespace s ON s.nspname = r.schema JOIN pg_class c ON c.relnamespace = s.oid AND c.relname = r.name
         AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
       UNION
       SELECT seen.read, c.oid, coalesce(seen.frozen, CASE c.relkind WHEN 'm' THEN c.oid::regclass::text END)
       FROM seen JOIN pg_rewrite w ON w.ev_class = seen.oid
       JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = w.oid AND d.refclassid = 'pg_class'::regclass
       JOIN pg_class c ON c.oid = d.refobjid
       WHERE seen.oid NOT IN (SELECT oid FROM owned)
     )
     SELECT seen.read, s.nspname AS schema, c.relname AS name, seen.frozen FROM seen
     JOIN pg_class c ON c.oid = seen.oid JOIN pg_namespace s ON s.oid = c.relnamespace ORDER BY 1, 2, 3`,
    [
      reads.map(({ schema }) => schema),
      reads.map(({ name }) => name),
      owned.map(({ table }) => table.schema),
      owned.map(({ table }) => table.name),
    ],
  );
  const byTable = new Map(owned.map(({ name, table }) => [showTable(table), name]));
  return rows.map((row) => {
    const dataset = byTable.get(showTable(row));
    return dataset === undefined ? row : { ...row, dataset };
  });
}
