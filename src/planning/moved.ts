import type { PlanWarning } from '../contracts/status.js';
import { showTable } from '../project/names.js';
import type { Dataset } from '../project/project.js';
import type { Db } from '../store/store.js';
import { countRows } from '../store/tables.js';
import type { View } from './defer.js';
import { riddance } from './gone.js';
import { scopeOfProject } from './ledger-change.js';
import { hasMoved, isSame, isWorthless, keyOfRegistered, type Place } from './places.js';

/** What a plan says of datasets whose target is another table than the one that they were built in. */
export async function movesOf(
  db: Db,
  { project, places, deferred }: View,
  selected: ReadonlySet<string>,
): Promise<PlanWarning[]> {
  const moved = [...places].flatMap(([name, place]) => {
    const dataset = project.datasets.get(name);
    return dataset && selected.has(name) && !deferred.has(name) && (hasMoved(place) || place.followed || place.lapsed)
      ? [{ dataset, place }]
      : [];
  });
  if (moved.length === 0) return [];
  const keys = moved.flatMap(({ place: { current, key } }) => [...(current ? [keyOfRegistered(current)] : []), key]);
  const counts = await countRows(db, scopeOfProject(project), keys);
  const partitionsOf = (key: string): number => counts.get(key)?.partitions ?? 0;
  return moved.map(({ dataset, place }) => ({
    dataset: dataset.name,
    code: 'table_moved',
    message: sentence(dataset, place, partitionsOf),
  }));
}

function sentence({ table, axis: { grain } }: Dataset, place: Place, count: (key: string) => number): string {
  const { current, found, key, lapsed, followed } = place;
  const many = (n: number): string =>
    grain === 'none' ? 'what was built' : n === 1 ? `1 ${unitOf(grain)}` : `${n} ${unitOf(grain)}s`;
  const from =
    followed && found && !isSame(found.table, table)
      ? `${showTable(found.table)} is called ${showTable(table)} now: the same table${found === current ? '' : ', '}`
      : '';
  if (found === current && lapsed) return `${showTable(table)} is gone: it is built anew`;
  if (found === current) return from;
  const to =
    found === undefined || lapsed
      ? `builds anew in ${showTable(table)}`
      : `is in ${showTable(table)} again, which still has ${many(count(key))}`;
  if (!current) return `${from}${to}`;
  const left = isWorthless(current)
    ? `${showTable(current.table)} is gone`
    : `${showTable(current.table)} stays as it is, with ${many(count(keyOfRegistered(current)))} (\`${riddance(current)}\` does away with it)`;
  return `${from}${to}; ${left}`;
}

function unitOf(grain: Dataset['axis']['grain']): string {
  return grain === '15m' || grain === '5m' ? 'partition' : grain;
}
