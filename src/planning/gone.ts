import { typedIn } from '../contracts/typed.js';
import { RequestError } from '../contracts/errors.js';
import { formatInstant } from '../core/interval/interval.js';
import type { PlanRange } from '../core/plan/types.js';
import { quoteTable } from '../postgres/quote.js';
import { showTable } from '../project/names.js';
import type { Db } from '../store/store.js';
import { countRows, type Counted, type Registered } from '../store/tables.js';
import type { View } from './defer.js';
import { scopeOfProject } from './ledger-change.js';
import { hasMoved, type Place } from './places.js';

/**
 * Refuses a request for a dataset whose table somebody dropped, or put another in its place, and for one that reads it: the ledger would
 * go on saying that rows are there. A table that is gone is built anew where the request takes in all that was in it: then nothing is
 * missing afterwards that was there before.
 *
 * @returns the datasets whose table is built anew: what the ledger has of them speaks of nothing
 * @throws RequestError missing_table, another_table
 */
export async function requireTables(
  db: Db,
  { project, places, deferred }: View,
  selected: ReadonlySet<string>,
  range?: PlanRange,
): Promise<ReadonlySet<string>> {
  const read = [...selected].flatMap((name) => project.datasets.get(name)?.needs ?? []).map(({ dataset }) => dataset);
  const wanted = new Set([...selected, ...read.filter((name) => !deferred.has(name))]);
  const odd = [...places].flatMap(([name, place]) => {
    const problem = wanted.has(name) ? oddity(place) : undefined;
    return problem === undefined ? [] : [{ name, ...problem }];
  });
  const anew = new Set<string>();
  if (odd.length === 0) return anew;
  const names = odd.map(({ name }) => name);
  const counts = await countRows(db, scopeOfProject(project), names);
  for (const { name, code, what, mend, isGone } of odd) {
    const rows = counts.get(name);
    if (rows === undefined) continue;
    if (isGone === true && selected.has(name) && range !== undefined && takesIn(range, rows)) {
      anew.add(name);
      continue;
    }
    const from = Number.isFinite(rows.since) ? ` --from ${formatInstant(rows.since)}` : '';
    const typed = (verb: string): string => typedIn(project.environment, `sluice ${verb} ${name}${from}`);
    const all = isGone === true ? `, or build all of it anew: ${typed('backfill')}` : '';
    throw new RequestError(
      code,
      `${name}: ${what}, and the ledger has ${rows.partitions} partitions of it`,
      `${mend}${all}, or take them out of the ledger, then build them again: ${typed('forget')}`,
    );
  }
  return anew;
}

function takesIn({ from = -Infinity, to = Infinity }: PlanRange, { since, until }: Counted): boolean {
  return !Number.isFinite(since) || (from <= since && to >= until);
}

interface Oddity {
  readonly code: string;
  readonly what: string;
  readonly mend: string;
  readonly isGone?: boolean;
}

function oddity(place: Place): Oddity | undefined {
  const { found, lapsed } = place;
  // Where the target has moved, all of it is built again there.
  if (found === undefined || lapsed || hasMoved(place)) return undefined;
  const { kind, another, renamed, isView } = found;
  const table = `${isView ? 'view' : 'table'} ${quoteTable(found.table)}`;
  if (place.followed) return undefined;
  if (renamed !== null) {
    return {
      code: kind === null ? 'missing_table' : 'another_table',
      what: `${table} is ${kind === null ? 'gone' : 'another one'}`,
      mend: `it is called ${quoteTable(renamed)} now: write \`table: ${showTable(renamed)}\`, or give it its name back`,
    };
  }
  if (kind === null) return { code: 'missing_table', what: `${table} is gone`, mend: 'put it back', isGone: true };
  if (isView !== (kind === 'view'))
    return { code: 'another_table', what: `${table} is no ${isView ? 'view' : 'table'} any more`, mend: 'put it back' };
  // A view is what its query says, which is compared.
  if (!another || isView) return undefined;
  return {
    code: 'another_table',
    what: `${table} is not the one that sluice wrote: that was dropped, and this was made since`,
    mend: 'put it back',
  };
}

/** How a table that is no longer its dataset's current one can be done away with. */
export function riddance({ table, isView }: Pick<Registered, 'table' | 'isView'>): string {
  return `DROP ${isView ? 'VIEW' : 'TABLE'} ${quoteTable(table)}`;
}
