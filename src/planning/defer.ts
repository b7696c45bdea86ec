import type { DeferredDataset } from '../contracts/plan.js';
import type { PlanWarning } from '../contracts/status.js';
import type { TableName } from '../contracts/table.js';
import type { LedgerRun } from '../core/plan/types.js';
import type { Dataset, Project } from '../project/project.js';
import type { KeyOf } from '../store/stale.js';
import type { Db, Scope } from '../store/store.js';
import { countRows, registeredTables } from '../store/tables.js';
import { scopeOfProject } from './ledger-change.js';
import { NOWHERE, placesOf, type Places } from './places.js';

/** What a request sees: its environment, and what that reads of the one that it defers to. */
export interface View {
  /** What is read of another environment stands in that one's table, and has nothing above it: what it reads is not this one's affair. */
  readonly project: Project;
  /** Where the ledger says what there is of a dataset. */
  readonly keyOf: KeyOf;
  /** Where it says that of this environment's own. */
  readonly places: Places;
  readonly deferred: ReadonlyMap<string, TableName>;
}

/**
 * The project as a request for `selected` sees it. Where `defer:` names another environment, a dataset that is not asked for and
 * of which this environment's ledger has nothing is read where the other one built it. Only read: nothing here ever writes to
 * what it does not own.
 */
export async function viewOf(db: Db, project: Project, selected: ReadonlySet<string>): Promise<View> {
  const own = scopeOfProject(project);
  const places = await placesOf(db, project);
  const ownKey: KeyOf = (name) => ({ ...own, key: places.get(name)?.key ?? name });
  if (project.defer === undefined) return { project, places, keyOf: ownKey, deferred: new Map() };
  const other = { ...own, environment: project.defer };
  const keys = [...project.datasets.keys()].filter((name) => !selected.has(name)).map((name) => ownKey(name).key);
  const counts = await countRows(db, own, keys);
  const names = [...project.datasets.keys()].filter((name) => !selected.has(name) && !counts.has(ownKey(name).key));
  const deferred = await builtElsewhere(db, other, names);
  const datasets = new Map([...project.datasets].map(([name, one]) => [name, seen(one, deferred.get(name))]));
  return {
    project: { ...project, datasets },
    places,
    keyOf: (name) => (deferred.has(name) ? { ...other, key: name } : ownKey(name)),
    deferred,
  };
}

/** The same, where the tables of these datasets are gone: there is nothing of them. */
export function withoutTables(view: View, gone: ReadonlySet<string>): View {
  if (gone.size === 0) return view;
  const places = new Map(
    [...view.places].map(([name, place]) => [name, gone.has(name) ? { ...place, key: NOWHERE, lapsed: true } : place]),
  );
  const keyOf: KeyOf = (name) => (gone.has(name) ? { ...view.keyOf(name), key: NOWHERE } : view.keyOf(name));
  return { ...view, places, keyOf };
}

function seen(dataset: Dataset, table: TableName | undefined): Dataset {
  return table === undefined ? dataset : { ...dataset, table, needs: [] };
}

async function builtElsewhere(db: Db, other: Scope, names: readonly string[]): Promise<Map<string, TableName>> {
  const wanted = new Set(names);
  const tables = await registeredTables(db, other);
  return new Map(
    tables.flatMap(({ dataset, table, current }) => (current && wanted.has(dataset) ? [[dataset, table]] : [])),
  );
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

/** A call has its effect each time, and what another environment built is not this one's to build. */
export function buildable({ project, deferred }: View): ReadonlySet<string> {
  const nodes = [...project.datasets.values()];
  return new Set(nodes.filter(({ name, body }) => body.kind !== 'call' && !deferred.has(name)).map(({ name }) => name));
}
