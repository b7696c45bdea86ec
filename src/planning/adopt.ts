import type { LedgerChange } from '../contracts/ledger.js';
import type { Interval } from '../core/interval/interval.js';
import { plural } from '../core/words.js';
import { systemError } from '../postgres/error.js';
import { quoteTable } from '../postgres/quote.js';
import { within } from '../postgres/time.js';
import type { Dataset } from '../project/project.js';
import { record } from '../store/control.js';
import { keepVersion } from '../store/dataset-versions.js';
import { sqlInstant } from '../store/ledger.js';
import { lockScope } from '../store/reservations.js';
import { keepShape, shapeName } from '../store/shapes.js';
import { rowsOf, type Db } from '../store/store.js';
import { rememberRelation } from '../store/tables.js';
import { digestOf, rowHash } from '../warehouse/postgres/digest.js';
import { prepareAdoption } from './adopting.js';
import { escaped, judgeTable, timeColumnOf } from './adopt-judge.js';
import type { PlanningDeps } from './deps.js';
import type { Described } from './described.js';
import { requireAdoptable, scopeOfProject, type Asker } from './ledger-change.js';
import { shapeOf } from './shapes.js';
import { own } from './targets.js';

/** Stands in the ledger where a backfill's id would. */
export const ADOPTED = 'adopt';

/**
 * Takes the rows that a table has into the ledger, partition by partition, as if sluice had published them now, from the current
 * definition. Partitions that the ledger holds already are left alone. Changes no row of the table.
 * @throws RequestError for a table that does not fit, a range without a complete partition, and what a backfill holds
 */
export async function adoptInterval(
  deps: PlanningDeps,
  dataset: Dataset,
  asked: Interval,
  asker: Asker,
): Promise<LedgerChange> {
  const { project, db } = deps;
  const ready = await prepareAdoption(deps, dataset, asked, true);
  const { described, partitions, notes, inputs, span } = ready;
  const scope = scopeOfProject(project);
  const adopt = async (tx: Db): Promise<LedgerChange> => {
    await lockScope(tx, scope);
    await requireAdoptable(tx, scope, { dataset: dataset.name, ...span });
    await tx.raw(`SET LOCAL lock_timeout = '5s'`);
    // Nobody writes while it is looked at: what is judged is what the ledger then says.
    await tx.raw(`LOCK TABLE ${escaped(quoteTable(dataset.table))} IN SHARE MODE`);
    const judged = await judgeTable(tx, dataset, described);
    await own(tx, project, dataset, false, asker);
    await rememberRelation(tx, dataset.table);
    const shape = shapeOf(dataset, described);
    if (shape) await keepShape(tx, scope, dataset.name, shape);
    await keepVersion(tx, scope, dataset);
    const kept = { shape: shape ? shapeName(shape) : null, inputs };
    const made = await insertRows(tx, deps, dataset, described, partitions, kept);
    const known = partitions.length - made.partitions;
    const change = { dataset: dataset.name, partitions: made.partitions, rows: made.rows };
    await record(tx, scope, {
      ...asker,
      action: 'adopt',
      detail: { ...change, from: sqlInstant(span.start), to: sqlInstant(span.end) },
    });
    return {
      ...change,
      notes: [
        ...notes,
        ...(known > 0
          ? [
              `${plural(known, 'partition')} in the ledger already: they stay as they are (\`--stale\` takes those that are stale as built by today’s definition)`,
            ]
          : []),
        ...judged,
        ...(made.partitions === 0 ? [] : checked(dataset, made)),
      ],
    };
  };
  return db.transaction(adopt).catch((error: unknown) => {
    throw systemError(error, project.warehouse);
  });
}

interface Made {
  readonly partitions: number;
  readonly rows: number;
  /** Partitions without a row. */
  readonly empty: number;
}

/** What adoption looked at, and what it did not: it reads no source, and runs no query of the dataset. */
function checked({ key, time }: Pick<Dataset, 'key' | 'time'>, { empty }: Made): string[] {
  const looked = [
    'the columns and their types',
    ...(key.length === 0 ? [] : [`that ${key.join(', ')} is unique`]),
    ...(time === null ? [] : [`by ${time}, which partition each row is in`]),
  ];
  return [
    `checked: ${looked.join('; ')}. Not checked: whether the rows are right, or all there: a half day counts as a whole one`,
    ...(empty === 0 ? [] : [`${plural(empty, 'partition')} of them without a row`]),
  ];
}

/** One statement, one snapshot: counts and digests each partition and writes its ledger row. */
async function insertRows(
  tx: Db,
  { project }: PlanningDeps,
  dataset: Dataset,
  described: Described,
  partitions: readonly Interval[],
  { shape, inputs }: { readonly shape: string | null; readonly inputs: Readonly<Record<string, string>> },
): Promise<Made> {
  const time = timeColumnOf(dataset, described);
  const where = time === null ? 'true' : within(time, 'p.s', 'p.e', 'sluice_t');
  const digest = digestOf(rowHash('sluice_t', described.columns));
  const keys = [project.name, project.environment, dataset.name];
  // Ledger rows do not overlap: the last that starts before a partition's end is the only one that can reach into it.
  const [made] = await rowsOf<Made>(
    tx,
    `WITH made AS (
       INSERT INTO sluice.partitions (project, environment, dataset, starts_at, ends_at, rows, digest, backfill_id, version, epoch,
         first_xid, changed_xid, xid, snapshot, shape, inputs)
       SELECT ?, ?, ?, p.s, p.e, c.rows, c.digest, ?, ?, (SELECT nextval('sluice.epochs')),
         me.xid, me.xid, me.xid, me.snapshot, ?, ?::jsonb
       FROM (SELECT sluice.current_xid() AS xid, sluice.current_snapshot() AS snapshot) AS me, unnest(?::timestamptz[], ?::timestamptz[]) AS p(s, e)
       CROSS JOIN LATERAL (SELECT count(*) AS rows, ${escaped(digest)} AS digest
         FROM ${escaped(quoteTable(dataset.table))} AS sluice_t WHERE ${escaped(where)}) AS c
       WHERE coalesce((SELECT o.ends_at FROM sluice.partitions o WHERE o.project = ? AND o.environment = ? AND o.dataset = ?
         AND o.starts_at < p.e ORDER BY o.starts_at DESC LIMIT 1), '-infinity') <= p.s
       RETURNING rows
     ) SELECT count(*)::int AS partitions, coalesce(sum(rows), 0)::float8 AS rows, count(*) FILTER (WHERE rows = 0)::int AS empty FROM made`,
    [
      ...keys,
      ADOPTED,
      dataset.version,
      shape,
      JSON.stringify(inputs),
      partitions.map(({ start }) => sqlInstant(start)),
      partitions.map(({ end }) => sqlInstant(end)),
      ...keys,
    ],
  );
  return made ?? { partitions: 0, rows: 0, empty: 0 };
}
