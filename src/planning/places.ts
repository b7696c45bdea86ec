import { quoteTable, type TableName } from '../contracts/table.js';
import type { Dataset, Project } from '../project/project.js';
import type { LedgerNode } from '../store/stale.js';
import { registeredTables, type Registered } from '../store/tables.js';
import type { Db } from '../store/store.js';
import { scopeOfProject } from './ledger-change.js';

/** A key of the ledger under which nothing is. */
export const NOWHERE = '';

/**
 * Where the ledger has what it says of a dataset's target. Its rows speak of a table, not of a name: those of the table that is
 * `current` are under the dataset's name, those of tables that it had before under {@link asideKey}. Where the project names another
 * table than the current one, plans go by that one's rows, and the backfill that opens makes it the current one.
 */
export interface Place {
  /** Key of the rows that speak of the target; of one that has none, a key without rows. */
  readonly key: string;
  /** The target as it is registered, maybe under an older name. */
  readonly found: Registered | undefined;
  /** The table that is current. Another one than `found` where the target has moved. */
  readonly current: Registered | undefined;
  /** The rows that are there speak of what is no more. */
  readonly lapsed: boolean;
  /** The target is a registered table under a name that somebody gave it since. */
  readonly followed: boolean;
}

/** The key of the rows of a table that is not its dataset's current one: its quoted name, which no dataset can have. */
export function asideKey(table: TableName): string {
  return quoteTable(table);
}

export function keyOfRegistered({ current, dataset, table }: Registered): string {
  return current ? dataset : asideKey(table);
}

/** A table that is no longer under its name: what the ledger says of it is about nothing that could be found again. */
export function isWorthless({ kind, another }: Registered): boolean {
  return kind === null || another;
}

/**
 * @param known - what the dataset owns
 */
export function placeOf(
  { name, table, publish, body }: Pick<Dataset, 'name' | 'table' | 'publish' | 'body'>,
  known: readonly Registered[],
): Place {
  const current = known.find((one) => one.current);
  // A call has no table, and what was written before anything was registered can only speak of the target.
  if (body.kind === 'call' || known.length === 0)
    return { key: name, found: undefined, current, lapsed: false, followed: false };
  // Renamed by hand, and then in the project: still the same table.
  const followed = known.find(({ renamed }) => renamed !== null && isSame(renamed, table));
  const found = followed ?? known.find((one) => isSame(one.table, table));
  if (found === undefined) return { key: NOWHERE, found, current, lapsed: false, followed: false };
  const lapsed = found.current
    ? // A view holds nothing that could be lost: it is made again. That a table is gone a person has to say (`requireTables`).
      found.kind === null && followed === undefined && (found.isView || publish === 'view')
    : followed === undefined && isWorthless(found);
  return { key: lapsed ? NOWHERE : keyOfRegistered(found), found, current, lapsed, followed: followed !== undefined };
}

/** Places of all datasets of a project. */
export type Places = ReadonlyMap<string, Place>;

export async function placesOf(db: Db, project: Project, environment = project.environment): Promise<Places> {
  const known = await registeredTables(db, { ...scopeOfProject(project), environment });
  const owned = new Map<string, Registered[]>();
  for (const one of known) owned.set(one.dataset, [...(owned.get(one.dataset) ?? []), one]);
  return new Map([...project.datasets.values()].map((one) => [one.name, placeOf(one, owned.get(one.name) ?? [])]));
}

/** Whether the target is another table than the one of which the ledger's rows speak. */
export function hasMoved({ found, current }: Place): boolean {
  return found !== current;
}

export function isSame(a: TableName, b: TableName): boolean {
  return a.schema === b.schema && a.name === b.name;
}

/** A dataset as the ledger is asked about it. */
export function ledgerNode(project: Pick<Project, 'datasets'>, node: LedgerDataset): LedgerNode {
  const { name, version, needs, axis } = node;
  return { name, version, needs, zone: axis.zone, inputs: tablesRead(project, node) };
}

type LedgerDataset = Pick<Dataset, 'name' | 'version' | 'needs' | 'axis'>;

/** Tables that a dataset reads, by dataset: what its rows in the ledger keep. */
export function tablesRead(
  { datasets }: Pick<Project, 'datasets'>,
  { name, needs }: Pick<Dataset, 'name' | 'needs'>,
): Record<string, string> {
  return Object.fromEntries(
    needs.flatMap((need) => {
      const upstream = datasets.get(need.dataset);
      const isTable = upstream !== undefined && upstream.name !== name && upstream.body.kind !== 'call';
      return isTable ? [[need.dataset, quoteTable(upstream.table)]] : [];
    }),
  );
}
