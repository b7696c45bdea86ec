import type { DeferredDataset } from '../contracts/plan.js';
import type { PlanWarning } from '../contracts/status.js';
import type { TableName } from '../contracts/table.js';
import type { LedgerRun } from '../core/plan/types.js';
import type { Dataset, Project } from '../project/project.js';
import { rowsOf, type Db, type Scope } from '../store/store.js';

/** What a request sees: its environment, and what that reads of the one that it defers to. */
export interface View {
  /** What is read of another environment stands in that one's table, and has nothing above it: what it reads is not this one's affair. */
  readonly project: Project;
  /** Whose ledger says what there is of a dataset. */
  readonly scopeOf: (dataset: string) => Scope;
  readonly deferred: ReadonlyMap<string, TableName>;
}

/**
 * The project as a request for `selected` sees it. Where `defer:` names another environment, a dataset that is not asked for and
 * of which this environment's ledger has nothing is read where the other one built it. Only read: nothing here ever writes to
 * what it does not own.
 */
export async function viewOf(db: Db, project: Project, selected: ReadonlySet<string>): Promise<View> {
  const own = { project: project.name, environment: project.environment };
  if (project.defer === undefined) return { project, scopeOf: () => own, deferred: new Map() };
  const other = { project: project.name, environment: project.defer };
  const names = [...project.datasets.keys()].filter((name) => !selected.has(name));
  const deferred = await builtElsewhere(db, own, other, names);
  const datasets = new Map([...project.datasets].map(([name, one]) => [name, seen(one, deferred.get(name))]));
  return { project: { ...project, datasets }, scopeOf: (name) => (deferred.has(name) ? other : own), deferred };
}

function seen(dataset: Dataset, table: TableName | undefined): Dataset {
  return table === undefined ? dataset : { ...dataset, table, needs: [] };
}

async function builtElsewhere(
  db: Db,
  own: Scope,
  other: Scope,
  names: readonly string[],
): Promise<Map<string, TableName>> {
  const rows = await rowsOf<{ dataset: string; schema: string; name: string }>(
    db,
    `SELECT t.dataset, t.schema_name AS schema, t.table_name AS name FROM sluice.tables t
     WHERE t.project = ? AND t.environment = ? AND t.dataset = ANY (?::text[])
       AND NOT EXISTS (SELECT 1 FROM sluice.partitions p WHERE p.project = ? AND p.environment = ? AND p.dataset = t.dataset)
     ORDER BY 1`,
    [other.project, other.environment, [...names], own.project, own.environment],
  );
  return new Map(rows.map(({ dataset, schema, name }) => [dataset, { schema, name }]));
}

/** What of a plan is read in the other environment, and what of that was built there from another definition. */
export function deferredOf(
  { project, deferred }: View,
  building: readonly { readonly name: string }[],
  ledger: ReadonlyMap<string, readonly LedgerRun[]>,
): { readonly deferred: DeferredDataset[]; readonly otherDefinitions: PlanWarning[] } {
  const { defer: environment = '' } = project;
  const read = new Set(
    building.flatMap(({ name }) => project.datasets.get(name)?.needs ?? []).map((need) => need.dataset),
  );
  const names = [...deferred].filter(([name]) => read.has(name));
  const other = names.filter(([name]) => ledger.get(name)?.some(({ stale }) => stale === 'definition'));
  return {
    deferred: names.map(([dataset, table]) => ({ dataset, environment, table })),
    otherDefinitions: other.map(([dataset]) => ({
      dataset,
      code: 'other_definition',
      message: `read in ${environment}, which built some or all of it from another definition than this`,
    })),
  };
}
