import type { StoredPlan } from '../contracts/plan.js';
import { RequestError } from '../contracts/errors.js';
import { FOREVER } from '../core/interval/interval.js';
import { showTable } from '../project/names.js';
import type { Dataset, Project } from '../project/project.js';
import { record, type JournalEntry } from '../store/control.js';
import { keepVersion } from '../store/dataset-versions.js';
import { findConflicts, type Held } from '../store/reservations.js';
import type { Db } from '../store/store.js';
import {
  disownTable,
  dropRows,
  moveRows,
  ownerOf,
  registeredTables,
  rememberRelation,
  relationExists,
  type Registered,
} from '../store/tables.js';
import { keepShape, rowTime } from '../store/shapes.js';
import { targetTime } from '../warehouse/postgres/publish.js';
import { changeTable } from './lock.js';
import { conflictError, scopeOfProject } from './ledger-change.js';
import { requireOwner } from './owner.js';
import { asideKey, hasMoved, isSame, isWorthless, keyOfRegistered, placeOf, placesOf } from './places.js';

/** Who makes a table a dataset's own: for the journal, and a backfill's own reservation is in nobody's way. */
export type Mover = Omit<JournalEntry, 'action' | 'detail'> & { readonly workflowId?: string };

/** Makes what the plan's tables still lack, and their owner, in the transaction that reserves them. */
export async function deployTargets(tx: Db, project: Project, plan: StoredPlan, mover: Mover): Promise<void> {
  for (const planned of plan.datasets) {
    const { name, kind, target, ddl, runs, columns } = planned;
    const dataset = project.datasets.get(name);
    if (runs.length === 0 || kind === 'call' || !dataset) continue;
    // Before its table is made: what had that name until now would else count as found again.
    await own(tx, project, dataset, ddl.length > 0, mover);
    await changeTable(tx, target, ddl);
    await rememberRelation(tx, target);
    await keepShape(tx, scopeOfProject(project), name, { columns, time: rowTime(targetTime(planned)) });
    await keepVersion(tx, scopeOfProject(project), planned);
  }
}

/**
 * Makes a dataset the owner of its target, and that its current table. What the ledger has of the table that was current until now is set
 * aside, and what it has of the target comes back. Under the lock of the scope.
 * @throws RequestError table_owned; conflict, where another backfill works on the table that is left
 */
export async function own(tx: Db, project: Project, dataset: Dataset, made: boolean, mover: Mover): Promise<void> {
  const scope = scopeOfProject(project);
  const { name, table } = dataset;
  const before = await requireOwner(tx, project, dataset, await relationExists(tx, table));
  if (before) await giveUp(tx, { ...before, table });
  const known = await registeredTables(tx, scope, name);
  const { current, found, followed, ...place } = placeOf(dataset, known);
  // A table that is gone is only here where all of it is built anew.
  const lapsed = place.lapsed || (found !== undefined && !followed && found.kind === null);
  if (found !== undefined && found === current && isSame(found.table, table) && !lapsed) return;
  if (known.length > 0) {
    await requireNobodyElse(tx, project, name, mover.workflowId ?? '');
    const leaves = current !== undefined && (found !== current || lapsed);
    const aside = leaves ? await setAside(tx, project, current, found === current) : 0;
    const back = found === undefined ? 0 : await takeBack(tx, project, dataset, found, known, lapsed);
    const { workflowId: _own, ...who } = mover;
    const from = current === undefined ? null : showTable(current.table);
    await record(tx, scope, {
      ...who,
      action: 'move',
      detail: { dataset: name, from, to: showTable(table), aside, back },
    });
  }
  await tx('sluice.tables')
    .insert({ schema_name: table.schema, table_name: table.name, ...scope, dataset: name, created_by_sluice: made })
    .onConflict(['schema_name', 'table_name'])
    .ignore();
  const owner = await ownerOf(tx, table);
  if (owner?.dataset === name && owner.project === scope.project && owner.environment === scope.environment) return;
  throw new RequestError('table_owned', `table ${showTable(table)} has just become another dataset's`, 'plan again');
}

/** A table that its dataset leaves stays its own; one that is gone does not. Returns how many partitions are kept of it. */
async function setAside(tx: Db, project: Project, current: Registered, isGone: boolean): Promise<number> {
  const scope = scopeOfProject(project);
  if (isGone || isWorthless(current)) {
    await dropRows(tx, scope, current.dataset);
    await disownTable(tx, current.table);
    return 0;
  }
  await tx('sluice.tables')
    .where({ schema_name: current.table.schema, table_name: current.table.name })
    .update({ current: false });
  return moveRows(tx, scope, current.dataset, asideKey(current.table));
}

/** Makes a table that the dataset has had before, or has under another name, its current one. Returns how many partitions come back. */
async function takeBack(
  tx: Db,
  project: Project,
  { name, table }: Dataset,
  found: Registered,
  known: readonly Registered[],
  lapsed: boolean,
): Promise<number> {
  const scope = scopeOfProject(project);
  if (lapsed) {
    if (!found.current) await dropRows(tx, scope, keyOfRegistered(found));
    await disownTable(tx, found.table);
    return 0;
  }
  // Something else of its own had the name that its table has got since.
  const before = known.find((one) => one !== found && isSame(one.table, table));
  if (before) await giveUp(tx, { ...scope, ...before, current: false });
  const back = found.current ? 0 : await moveRows(tx, scope, keyOfRegistered(found), name);
  await tx('sluice.tables')
    .where({ schema_name: found.table.schema, table_name: found.table.name })
    .update({ schema_name: table.schema, table_name: table.name, current: true });
  return back;
}

/** Takes a table from its owner, with what the ledger has of it. */
export async function giveUp(
  tx: Db,
  {
    table,
    dataset,
    current,
    ...scope
  }: { readonly project: string; readonly environment: string } & Pick<Registered, 'table' | 'dataset' | 'current'>,
): Promise<number> {
  await disownTable(tx, table);
  return dropRows(tx, scope, current ? dataset : asideKey(table));
}

/** What of a plan is to have another table than until now: nobody else may work on any of it. */
export async function movingOf(tx: Db, project: Project, plan: StoredPlan): Promise<Held[]> {
  const places = await placesOf(tx, project);
  return plan.datasets.flatMap(({ name, runs }) => {
    const place = places.get(name);
    const moves = runs.length > 0 && place !== undefined && (hasMoved(place) || place.followed);
    return moves ? [{ dataset: name, ...FOREVER }] : [];
  });
}

/** Whoever still publishes into the table that is left would write down as the new one's what is in the old one. */
async function requireNobodyElse(tx: Db, project: Project, dataset: string, workflowId: string): Promise<void> {
  const [conflict] = await findConflicts(tx, scopeOfProject(project), workflowId, [{ dataset, ...FOREVER }]);
  if (conflict) throw conflictError(project.environment, conflict);
}
