import { RequestError } from '../contracts/errors.js';
import type { LedgerChange } from '../contracts/ledger.js';
import type { TableName } from '../contracts/table.js';
import { typedIn } from '../contracts/typed.js';
import { FOREVER } from '../core/interval/interval.js';
import { systemError } from '../postgres/error.js';
import { didYouMean } from '../project/nearest.js';
import { showTable } from '../project/names.js';
import { record } from '../store/control.js';
import { allHeld, lockScope } from '../store/reservations.js';
import { rowsOf, type Db, type Scope } from '../store/store.js';
import { disownTable, dropRows, dropScope, registeredTables } from '../store/tables.js';
import type { PlanningDeps } from './deps.js';
import { conflictError, requireFree, scopeOfProject, type Asker } from './ledger-change.js';
import { deployedNames } from './owner.js';
import { isSame, keyOfRegistered } from './places.js';

/**
 * Takes all that the ledger has of a dataset away, and the ownership of its tables; or of one of its tables. The tables stay as they are,
 * and are nobody's.
 *
 * @param name - of a dataset of the project, or of one that only the ledger knows
 * @throws RequestError unknown_table; conflict, while a backfill holds part of it
 */
export async function giveUpTables(
  { project, db }: PlanningDeps,
  name: string,
  table: TableName | undefined,
  asker: Asker,
): Promise<LedgerChange> {
  const scope = scopeOfProject(project);
  const work = async (tx: Db): Promise<LedgerChange> => {
    await lockScope(tx, scope);
    await requireFree(tx, scope, { dataset: name, ...FOREVER });
    const owned = await registeredTables(tx, scope, name);
    const given = owned.filter((one) => table === undefined || isSame(one.table, table));
    if (table !== undefined && given.length === 0) {
      throw new RequestError(
        'unknown_table',
        `${showTable(table)} is no table of ${name}`,
        owned.length === 0 ? `${name} has none` : `it has ${owned.map((one) => showTable(one.table)).join(', ')}`,
      );
    }
    const keys = [...given.map(keyOfRegistered), ...(table === undefined ? [name] : [])];
    const rows = await rowsUnder(tx, scope, keys);
    let partitions = 0;
    for (const key of new Set(keys)) partitions += await dropRows(tx, scope, key);
    for (const one of given) await disownTable(tx, one.table);
    const tables = given.map((one) => showTable(one.table));
    const change = { dataset: name, partitions, rows };
    await record(tx, scope, { ...asker, action: 'forget', detail: { ...change, tables } });
    return { ...change, notes: tables.map((one) => `table ${one} stays as it is, and is nobody’s`) };
  };
  return db.transaction(work).catch((error: unknown) => {
    throw systemError(error, project.warehouse);
  });
}

/**
 * Takes all that the ledger has of an environment away, and the ownership of its tables. The tables stay as they are.
 * @throws RequestError conflict, while a backfill of it is under way
 */
export async function giveUpScope({ project, db }: PlanningDeps, asker: Asker): Promise<LedgerChange> {
  const scope = scopeOfProject(project);
  const work = async (tx: Db): Promise<LedgerChange> => {
    await lockScope(tx, scope);
    const [held] = await allHeld(tx, scope, '');
    if (held) throw conflictError(scope.environment, held);
    const tables = (await registeredTables(tx, scope)).map(({ table }) => showTable(table));
    const { partitions, rows } = await dropScope(tx, scope);
    const change = { dataset: '*', partitions, rows };
    await record(tx, scope, { ...asker, action: 'forget', detail: { ...change, tables } });
    const shown = [...tables.slice(0, SHOWN_MAX), ...(tables.length > SHOWN_MAX ? ['…'] : [])].join(', ');
    const notes = tables.length === 0 ? [] : [`its tables stay as they are, and are nobody’s: ${shown}`];
    return { ...change, notes };
  };
  return db.transaction(work).catch((error: unknown) => {
    throw systemError(error, project.warehouse);
  });
}

/** Names that a sentence lists at most. */
const SHOWN_MAX = 50;

async function rowsUnder(tx: Db, { project, environment }: Scope, keys: readonly string[]): Promise<number> {
  const [sum] = await rowsOf<{ rows: number }>(
    tx,
    `SELECT coalesce(sum(rows), 0)::float8 AS rows FROM sluice.partitions
     WHERE project = ? AND environment = ? AND dataset = ANY (?::text[])`,
    [project, environment, [...keys]],
  );
  return sum?.rows ?? 0;
}

/** Datasets of which the ledger has rows or a table. */
export async function datasetsKnown(db: Db, { project, environment }: Scope): Promise<ReadonlySet<string>> {
  const rows = await rowsOf<{ dataset: string }>(
    db,
    `SELECT dataset FROM sluice.tables WHERE project = ? AND environment = ?
     UNION SELECT dataset FROM sluice.partitions WHERE project = ? AND environment = ? AND dataset NOT LIKE '"%'`,
    [project, environment, project, environment],
  );
  return new Set(rows.map(({ dataset }) => dataset));
}

/**
 * A dataset that only the ledger knows: neither this folder nor what the workers deploy has it.
 * @throws RequestError unknown_dataset, still_there
 */
export async function requireGone({ project, db }: Pick<PlanningDeps, 'project' | 'db'>, name: string): Promise<void> {
  const { environment, datasets } = project;
  const scope = scopeOfProject(project);
  const known = await datasetsKnown(db, scope);
  if (datasets.has(name)) {
    throw new RequestError(
      'still_there',
      `${name} is in this project: ${datasets.get(name)?.file ?? ''}`,
      'its file has to go, or another name, first',
    );
  }
  if (!known.has(name)) {
    throw new RequestError(
      'unknown_dataset',
      `there is no dataset ${JSON.stringify(name)}, and the ledger has none of that name`,
      didYouMean(name, [...datasets.keys(), ...known], 'sluice graph shows them all'),
    );
  }
  if ((await deployedNames(db, scope)).has(name)) {
    throw new RequestError(
      'still_there',
      `${name} is not in this folder, but the workers still deploy it`,
      `start them with this folder first: ${typedIn(environment, 'sluice worker')}`,
    );
  }
}
