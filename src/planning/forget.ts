import { typedIn } from '../contracts/typed.js';
import type { Interval } from '../core/interval/interval.js';
import { systemError } from '../postgres/error.js';
import type { Dataset } from '../project/project.js';
import { record } from '../store/control.js';
import { forgetRows, sqlInstant } from '../store/ledger.js';
import { findReserved, lockScope } from '../store/reservations.js';
import { rowsOf, type Db, type Scope } from '../store/store.js';
import type { PlanningDeps } from './deps.js';
import { rangeWords, requireFree, scopeOfProject, type Asker, type LedgerChange } from './ledger-change.js';

/**
 * Takes the ledger's rows of an interval away; the table keeps its data, which then counts as rows that sluice did not write.
 * A table that was adopted is nobody's again once the ledger has nothing of it.
 * @throws RequestError conflict, while a backfill holds part of it
 */
export async function forgetInterval(
  { project, db }: PlanningDeps,
  dataset: Dataset,
  asked: Interval,
  asker: Asker,
): Promise<LedgerChange> {
  const scope = scopeOfProject(project);
  const { name } = dataset;
  const forget = async (tx: Db): Promise<LedgerChange> => {
    await lockScope(tx, scope);
    await requireFree(tx, scope, { dataset: name, ...asked }, findReserved);
    const rows = await rowsIn(tx, scope, name, asked);
    const partitions = await forgetRows(tx, scope, name, asked.start, asked.end);
    const disowned = partitions > 0 && (await disown(tx, scope, name));
    const change = { dataset: name, partitions, rows };
    await record(tx, scope, {
      ...asker,
      action: 'forget',
      detail: { ...change, from: sqlInstant(asked.start), to: sqlInstant(asked.end) },
    });
    const typed = (command: string): string => typedIn(scope.environment, command);
    const range = rangeWords(asked);
    const again =
      dataset.body.kind === 'call'
        ? `\`${typed(`sluice backfill ${name}${range}`)}\` calls it again`
        : `the rows stay in the table: \`${typed(`sluice adopt ${name}${range}`)}\` takes them back, \`${typed(`sluice backfill ${name}${range} --overwrite`)}\` replaces them`;
    return {
      ...change,
      notes: [
        ...(partitions > 0 ? [again] : []),
        ...(disowned ? ['its table, which sluice did not make, is nobody’s again'] : []),
      ],
    };
  };
  return db.transaction(forget).catch((error: unknown) => {
    throw systemError(error, project.warehouse);
  });
}

async function rowsIn(tx: Db, scope: Scope, dataset: string, { start, end }: Interval): Promise<number> {
  const [sum] = await rowsOf<{ rows: number }>(
    tx,
    `SELECT coalesce(sum(rows), 0)::float8 AS rows FROM sluice.partitions
     WHERE project = ? AND environment = ? AND dataset = ? AND starts_at >= ?::timestamptz AND ends_at <= ?::timestamptz`,
    [scope.project, scope.environment, dataset, sqlInstant(start), sqlInstant(end)],
  );
  return sum?.rows ?? 0;
}

async function disown(tx: Db, scope: Scope, dataset: string): Promise<boolean> {
  const gone = await tx('sluice.tables')
    .where({ ...scope, dataset, created_by_sluice: false })
    .whereNotExists(tx('sluice.partitions').where({ ...scope, dataset }))
    .delete();
  return gone > 0;
}
