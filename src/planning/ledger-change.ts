import { typedIn } from '../contracts/typed.js';
import { RequestError } from '../contracts/errors.js';
import { formatInterval } from '../core/interval/interval.js';
import type { Project } from '../project/project.js';
import { findConflicts, type Conflict, type Held } from '../store/reservations.js';
import type { Db, Scope } from '../store/store.js';

/** Who wants the ledger changed, and why: for the journal. */
export interface Asker {
  readonly actor: string;
  readonly reason?: string;
}

/** What a verb did to the ledger. */
export interface LedgerChange {
  readonly dataset: string;
  readonly partitions: number;
  readonly rows: number;
  /** What was left out or is still to do, in sentences. */
  readonly notes: readonly string[];
}

export function scopeOfProject({ name, environment }: Pick<Project, 'name' | 'environment'>): Scope {
  return { project: name, environment };
}

/** Under the scope's lock: no backfill can reserve it meanwhile. @throws RequestError conflict */
export async function requireFree(tx: Db, scope: Scope, wanted: Held): Promise<void> {
  const [conflict] = await findConflicts(tx, scope, '', [wanted]);
  if (conflict) throw conflictError(scope.environment, conflict);
}

export function conflictError(environment: string, conflict: Conflict): RequestError {
  const { backfillId } = conflict;
  return new RequestError(
    'conflict',
    `backfill ${backfillId} holds ${conflict.dataset} ${formatInterval(conflict)}`,
    `wait until it has ended (${typedIn(environment, `sluice watch ${backfillId}`)}), or end it: ${typedIn(environment, `sluice cancel ${backfillId}`)}`,
  );
}
