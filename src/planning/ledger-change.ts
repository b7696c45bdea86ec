import { typedIn } from '../contracts/typed.js';
import { RequestError } from '../contracts/errors.js';
import { formatInstant, formatInterval, type Interval } from '../core/interval/interval.js';
import { intersect, subtract } from '../core/interval/set.js';
import type { Project } from '../project/project.js';
import { failedIn } from '../store/failures.js';
import { findConflicts, type Conflict, type Held } from '../store/reservations.js';
import type { Db, Scope } from '../store/store.js';

/** Who wants the ledger changed, and why: for the journal. */
export interface Asker {
  readonly actor: string;
  readonly reason?: string;
}

export function scopeOfProject({ name, environment }: Pick<Project, 'name' | 'environment'>): Scope {
  return { project: name, environment };
}

/**
 * Under the scope's lock: no backfill can reserve it meanwhile.
 * @param find - `findReserved`: also what a backfill that goes on has done with
 * @throws RequestError conflict
 */
export async function requireFree(tx: Db, scope: Scope, wanted: Held, find = findConflicts): Promise<void> {
  const [conflict] = await find(tx, scope, '', [wanted]);
  if (conflict) throw conflictError(scope.environment, conflict);
}

/**
 * The same for rows that are taken into the ledger as they are: what a backfill failed on for the very reason that they are in its way is free.
 * Its next try finds them published; one that is under way waits for the table's lock, and fails as it did.
 * @throws RequestError conflict
 */
export async function requireAdoptable(tx: Db, scope: Scope, wanted: Held): Promise<void> {
  for (const conflict of await findConflicts(tx, scope, '', [wanted])) {
    const inTheWay = (await failedIn(tx, scope, conflict.backfillId, 'foreign_rows')).get(wanted.dataset) ?? [];
    const [left] = subtract(intersect([conflict], [wanted]), inTheWay);
    if (left) throw conflictError(scope.environment, { ...conflict, ...left });
  }
}

export function conflictError(environment: string, { backfillId, dataset, start, end }: Conflict): RequestError {
  return new RequestError(
    'conflict',
    `backfill ${backfillId} holds ${dataset} ${formatInterval({ start, end })}`,
    `wait until it has ended (${typedIn(environment, `sluice watch ${backfillId}`)}), or end it: ${typedIn(environment, `sluice cancel ${backfillId}`)}`,
  );
}

/** The interval as it is typed, with a space before it; nothing for all of time. */
export function rangeWords({ start, end }: Interval): string {
  const words = [
    ['--from', start],
    ['--to', end],
  ] as const;
  return words.map(([option, at]) => (Number.isFinite(at) ? ` ${option} ${formatInstant(at)}` : '')).join('');
}
