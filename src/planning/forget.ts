import type { LedgerChange } from '../contracts/ledger.js';
import { typedIn } from '../contracts/typed.js';
import type { Interval } from '../core/interval/interval.js';
import { systemError } from '../postgres/error.js';
import { showTable } from '../project/names.js';
import { record } from '../store/control.js';
import { forgetRows, sqlInstant } from '../store/ledger.js';
import { findReserved, lockScope } from '../store/reservations.js';
import type { LedgerKey } from '../store/stale.js';
import { rowsOf, type Db } from '../store/store.js';
import { registeredTables } from '../store/tables.js';
import type { PlanningDeps } from './deps.js';
import { rangeWords, requireFree, scopeOfProject, type Asker } from './ledger-change.js';
import { placeOf } from './places.js';

/**
 * Takes the ledger's rows of an interval away; the table keeps its data, which then counts as rows that sluice did not write. Once the
 * ledger has nothing more of it, a table that was adopted is nobody's again, and so is every one of a dataset that is gone.
 *
 * @param name - of a dataset of the project, or of one that only the ledger knows
 * @throws RequestError conflict, while a backfill holds part of it
 */
export async function forgetInterval(
  { project, db }: PlanningDeps,
  name: string,
  asked: Interval,
  asker: Asker,
): Promise<LedgerChange> {
  const scope = scopeOfProject(project);
  const dataset = project.datasets.get(name);
  const forget = async (tx: Db): Promise<LedgerChange> => {
    await lockScope(tx, scope);
    await requireFree(tx, scope, { dataset: name, ...asked }, findReserved);
    const place = dataset && placeOf(dataset, await registeredTables(tx, scope, name));
    const key = { ...scope, key: place?.key ?? name };
    const rows = await rowsIn(tx, key, asked);
    const partitions = await forgetRows(tx, key, asked.start, asked.end);
    const disowned = await disown(tx, key, name, dataset === undefined);
    const change = { dataset: name, partitions, rows };
    await record(tx, scope, {
      ...asker,
      action: 'forget',
      detail: { ...change, from: sqlInstant(asked.start), to: sqlInstant(asked.end) },
    });
    const typed = (command: string): string => typedIn(scope.environment, command);
    const range = rangeWords(asked);
    const again =
      dataset === undefined
        ? 'the rows stay in the table'
        : dataset.body.kind === 'call'
          ? `\`${typed(`sluice backfill ${name}${range}`)}\` calls it again`
          : `the rows stay in the table: \`${typed(`sluice adopt ${name}${range}`)}\` takes them back, \`${typed(`sluice backfill ${name}${range} --overwrite`)}\` replaces them`;
    return {
      ...change,
      notes: [...(partitions > 0 ? [again] : []), ...disowned.map((table) => `table ${table} is nobody’s again`)],
    };
  };
  return db.transaction(forget).catch((error: unknown) => {
    throw systemError(error, project.warehouse);
  });
}

async function rowsIn(tx: Db, { project, environment, key }: LedgerKey, { start, end }: Interval): Promise<number> {
  const [sum] = await rowsOf<{ rows: number }>(
    tx,
    `SELECT coalesce(sum(rows), 0)::float8 AS rows FROM sluice.partitions
     WHERE project = ? AND environment = ? AND dataset = ? AND starts_at >= ?::timestamptz AND ends_at <= ?::timestamptz`,
    [project, environment, key, sqlInstant(start), sqlInstant(end)],
  );
  return sum?.rows ?? 0;
}

/** Gives up the current table where the ledger has nothing of it. */
async function disown(tx: Db, { key, ...scope }: LedgerKey, dataset: string, isGone: boolean): Promise<string[]> {
  if (key !== dataset) return [];
  const gone = await tx('sluice.tables')
    .where({ ...scope, dataset, current: true, ...(isGone ? {} : { created_by_sluice: false }) })
    .whereNotExists(tx('sluice.partitions').where({ ...scope, dataset }))
    .delete()
    .returning<{ schema_name: string; table_name: string }[]>(['schema_name', 'table_name']);
  return gone.map(({ schema_name: schema, table_name: name }) => showTable({ schema, name }));
}
