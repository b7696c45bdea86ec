import { parse } from 'yaml';
import { z } from 'zod';
import { RequestError } from '../contracts/errors.js';
import { quoteIdent, quoteTable } from '../contracts/table.js';
import { typedIn } from '../contracts/typed.js';
import { FOREVER } from '../core/interval/interval.js';
import { systemError } from '../postgres/error.js';
import { PROJECT_FILE } from '../project/config.js';
import { showTable } from '../project/names.js';
import { didYouMean } from '../project/nearest.js';
import type { Dataset, Project } from '../project/project.js';
import { record } from '../store/control.js';
import { renameDataset, renameScope } from '../store/rename.js';
import { allHeld, lockScope } from '../store/reservations.js';
import { rowsOf, type Db, type Scope } from '../store/store.js';
import { registeredTables, type Registered } from '../store/tables.js';
import type { PlanningDeps } from './deps.js';
import { datasetsKnown, requireGone } from './give-up.js';
import { conflictError, requireFree, scopeOfProject, type Asker } from './ledger-change.js';
import { isSame } from './places.js';

/** What was handed over. */
export interface HandedOver {
  readonly from: string;
  readonly to: string;
  readonly datasets: readonly string[];
  readonly partitions: number;
  readonly tables: readonly string[];
  /** What is still to do, in sentences. */
  readonly notes: readonly string[];
}

/**
 * Hands the tables of a dataset, and what the ledger has of them, to one of another name.
 * @param old - no longer in the project
 * @throws RequestError unknown_dataset, still_there, already_built; conflict, while a backfill holds part of it
 */
export async function handOverDataset(deps: PlanningDeps, old: string, to: Dataset, asker: Asker): Promise<HandedOver> {
  const { project, db } = deps;
  const scope = scopeOfProject(project);
  const work = async (tx: Db): Promise<HandedOver> => {
    await lockScope(tx, scope);
    await requireGone({ project, db: tx }, old);
    for (const dataset of [old, to.name]) await requireFree(tx, scope, { dataset, ...FOREVER });
    requireNew(project, [to.name], await datasetsKnown(tx, scope));
    const owned = await registeredTables(tx, scope, old);
    const partitions = await renameDataset(tx, scope, old, to.name);
    const tables = owned.map(({ table }) => showTable(table));
    await record(tx, scope, { ...asker, action: 'rename', detail: { from: old, to: to.name, partitions, tables } });
    const current = owned.find((one) => one.current);
    return { from: old, to: to.name, datasets: [to.name], partitions, tables, notes: tableNotes(to, current) };
  };
  return db.transaction(work).catch((error: unknown) => {
    throw systemError(error, project.warehouse);
  });
}

/** A dataset without `table:` has its table's name of its own: the one that it was given is another. */
function tableNotes({ name, file, table }: Dataset, current: Registered | undefined): string[] {
  if (current === undefined || isSame(current.table, table)) return [];
  const rename =
    current.table.schema === table.schema
      ? `, or rename it: ALTER ${current.isView ? 'VIEW' : 'TABLE'} ${quoteTable(current.table)} RENAME TO ${quoteIdent(table.name)};`
      : '';
  return [
    `${file} names ${showTable(table)}, where ${name} would be built anew. To keep its table write \`table: ${showTable(current.table)}\` there${rename}`,
  ];
}

/**
 * Hands everything that a project or an environment of another name has in this warehouse to this one.
 * @throws RequestError unknown_scope, still_there, already_built; conflict, while a backfill of it runs
 */
export async function handOverScope({ project, db }: PlanningDeps, from: Scope, asker: Asker): Promise<HandedOver> {
  const to = scopeOfProject(project);
  const named = (scope: Scope): string =>
    from.project === to.project ? `environment ${scope.environment}` : `project ${scope.project}`;
  if (from.project === to.project) requireNoEnvironment(project, from.environment);
  const work = async (tx: Db): Promise<HandedOver> => {
    for (const scope of [from, to].toSorted((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1))) await lockScope(tx, scope);
    const [held] = await allHeld(tx, from, '');
    if (held) throw conflictError(from.environment, held);
    const datasets = await datasetsKnown(tx, from);
    if (datasets.size === 0) throw await unknownScope(tx, from, named(from));
    const own = await datasetsKnown(tx, to);
    requireNew(project, datasets, own);
    const tables = (await registeredTables(tx, from)).map(({ table }) => showTable(table));
    const partitions = await renameScope(tx, from, to);
    const detail = { from: nameOf(from), to: nameOf(to), partitions, tables };
    for (const scope of [from, to]) await record(tx, scope, { ...asker, action: 'rename', detail });
    const gone = [...datasets].filter((name) => !project.datasets.has(name));
    const notes =
      gone.length === 0
        ? []
        : [
            `not in this project: ${gone.join(', ')}; \`${typedIn(to.environment, 'sluice doctor')}\` says what can be done with them`,
          ];
    return { from: named(from), to: named(to), datasets: [...datasets], partitions, tables, notes };
  };
  return db.transaction(work).catch((error: unknown) => {
    throw systemError(error, project.warehouse);
  });
}

function nameOf({ project, environment }: Scope): string {
  return `${project}@${environment}`;
}

const Environments = z.object({ environments: z.record(z.string(), z.unknown()).nullish() });

/** `default` is always there: what was built in it may go to one that was given a name since. */
function requireNoEnvironment({ environment, files }: Project, old: string): void {
  const { environments } = Environments.parse(parse(files[PROJECT_FILE] ?? ''));
  if (old !== environment && !Object.hasOwn(environments ?? {}, old)) return;
  throw new RequestError(
    'still_there',
    `environment ${old} is in this project: ${PROJECT_FILE}`,
    'an environment is handed over once its name is gone from that file',
  );
}

async function unknownScope(db: Db, from: Scope, named: string): Promise<RequestError> {
  const rows = await rowsOf<Scope>(db, 'SELECT DISTINCT project, environment FROM sluice.tables ORDER BY 1, 2');
  const known = rows.map(nameOf);
  return new RequestError(
    'unknown_scope',
    `the ledger has nothing of ${named}, in ${nameOf(from)}`,
    didYouMean(nameOf(from), known, `it has tables of ${known.join(', ')}`),
  );
}

/** What takes something over must have nothing of its own, which would be lost. */
function requireNew({ environment }: Project, names: Iterable<string>, own: ReadonlySet<string>): void {
  const [both] = [...names].filter((name) => own.has(name));
  if (both === undefined) return;
  throw new RequestError(
    'already_built',
    `${both} has a table or partitions in the ledger already`,
    `give those up first, the table itself stays: ${typedIn(environment, `sluice forget ${both} --all`)}`,
  );
}
