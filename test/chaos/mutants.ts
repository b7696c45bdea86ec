/** Planted bugs: copies of the build with one thing wrong, each of which the harness must tell from the real one. */
import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { bundleWorkflowCode, DefaultLogger } from '@temporalio/worker';
import type { Planned } from './faults.js';
import { DIST } from './workers.js';

export interface Mutant {
  readonly name: string;
  /** In the build, exactly once: a bug that cannot be planted any more must be planted anew. */
  readonly edits: readonly (readonly [file: string, from: string, to: string])[];
  /** What has to happen for it to show; nothing: it shows by itself. */
  readonly faults: readonly Planned[];
}

const SLICE = 'activities/slice.js';
const BATCH = 'activities/batch.js';
const PUBLISH = 'src/warehouse/postgres/publish.js';
const LEASE = 'src/warehouse/postgres/lease.js';
const BUNDLE = 'workflow-bundle.js';

const LATE: Planned[] = [{ fault: 'the worker is cut off from Temporal, and works on', after: 0 }];
const VERY_LATE: Planned[] = [{ fault: 'the worker sleeps until the backfill is over, and wakes up alone', after: 0 }];
const LOST: Planned[] = [1, 40, 120].map((after) => ({ fault: 'the answer to COMMIT is lost', after }));
const SENT: Planned[] = [1, 40, 120].map((after) => ({ fault: 'a connection is cut once COMMIT is sent', after }));
const KILLED: Planned[] = [20, 120].map((after) => ({ fault: 'kill -9 of the worker', after }));

export const MUTANTS: readonly Mutant[] = [
  {
    name: 'no fence: whoever is overtaken publishes all the same',
    edits: [[PUBLISH, 'if (held.rowCount !== 1)', 'if (held.rowCount === -1)']],
    faults: LATE,
  },
  {
    name: 'the fence looks at the backfill, not at the attempt',
    edits: [[PUBLISH, 'l.slice = $3 AND l.attempt = $4 AND', 'l.slice = $3 AND $4::int IS NOT NULL AND']],
    faults: LATE,
  },
  {
    name: 'a lease that overlaps is not taken away',
    edits: [[LEASE, 'l.lo < b.hi AND b.lo < l.hi', 'l.lo = b.lo + 1000000 AND b.lo < l.hi']],
    faults: LATE,
  },
  {
    name: 'a zombie of a backfill that has ended is let in',
    edits: [
      [PUBLISH, 'if (held.rowCount !== 1)', 'if (held.rowCount === -1)'],
      ['src/warehouse/postgres/gate.js', 'if (row.fenced)', 'if (row.fenced && false)'],
      [
        'src/warehouse/postgres/gate.js',
        'r.epoch IS NULL OR c.cancelled OR c.paused OR l.slots',
        'c.cancelled OR c.paused OR l.slots',
      ],
    ],
    faults: VERY_LATE,
  },
  {
    name: 'COMMIT is done again when its answer is lost',
    edits: [[SLICE, 'partitions.every(({ start }) => ours.has(start))', 'partitions.every(() => ours.size < 0)']],
    faults: LOST,
  },
  {
    name: 'the ledger is written after the transaction',
    edits: [
      [
        BATCH,
        "() => writeLedger(warehouse, who, dataset, published, null, rowsLeftOf(dataset)),\n        () => warehouse.query('COMMIT'),",
        "() => warehouse.query('COMMIT'),\n        () => writeLedger(warehouse, who, dataset, published, null, rowsLeftOf(dataset)),",
      ],
    ],
    faults: SENT,
  },
  {
    name: 'a later attempt leaves out the first batch of its slice',
    edits: [
      [
        SLICE,
        'for (const span of input.batches) {',
        'for (const span of input.batches) { if (who.attempt > 1 && span === input.batches[0]) { begun++; done.push({ span: [...span], rows: 0, ms: 0, skipped: true }); continue; }',
      ],
    ],
    faults: KILLED,
  },
  {
    name: 'published before, by whatever backfill, counts as done',
    edits: [
      [
        'src/warehouse/postgres/ledger.js',
        'p.epoch = $5 AND p.version = $6 AS ours',
        '$5::bigint IS NOT NULL AND p.version = $6 AS ours',
      ],
    ],
    faults: [],
  },
  {
    name: '> for >= where an interval begins',
    edits: [['src/postgres/time.js', '${column} >= ${boundOf(time, start)}', '${column} > ${boundOf(time, start)}']],
    faults: [],
  },
  {
    name: '<= for < where an interval ends',
    edits: [['src/postgres/time.js', '${column} < ${boundOf(time, end)}', '${column} <= ${boundOf(time, end)}']],
    faults: [],
  },
  {
    name: 'readers are told of a partition before it is committed',
    edits: [
      [
        'src/core/slice/board.js',
        'done: spansOf(board.states, CODE.done),\n        failed: spansWhere',
        'done: spansWhere(0, board.count, (o) => [CODE.done, CODE.running].includes(board.states[o])),\n        failed: spansWhere',
      ],
    ],
    faults: [],
  },
  {
    name: 'a partition that failed counts as done',
    edits: [['workflows/dispatch.js', 'fail(state, slice, failure);', 'markDone(state.board, [failure.span]);']],
    faults: [],
  },
  {
    name: 'of partitions that share a statement the first comes into the ledger',
    edits: [
      [
        BATCH,
        'writeLedger(warehouse, who, dataset, published, null',
        'writeLedger(warehouse, who, dataset, published.slice(0, 1), null',
      ],
    ],
    faults: [],
  },
  {
    name: 'a partition is not emptied before it is built again',
    edits: [[PUBLISH, 'WHERE ${where}`, bounds)', 'WHERE ${where} AND false`, bounds)']],
    faults: [],
  },
  {
    name: 'of a batch only the first partition is emptied',
    edits: [[PUBLISH, "partitions[hi - 1]?.end ?? ''", "partitions[lo]?.end ?? ''"]],
    faults: [],
  },
  {
    name: 'of a batch only the first partition is copied',
    edits: [[BATCH, 'for (const interval of partitions) {', 'for (const interval of partitions.slice(0, 1)) {']],
    faults: [],
  },
  {
    name: 'a row that moved stays where it was, too',
    edits: [
      ['src/warehouse/postgres/moves.js', 'WHERE ${elsewhere} RETURNING', 'WHERE ${elsewhere} AND false RETURNING'],
    ],
    faults: [],
  },
  {
    name: 'what a moved row left is not marked',
    edits: [
      ['src/warehouse/postgres/moves.js', "SET moved = true, digest = ''", 'SET moved = p.moved, digest = p.digest'],
    ],
    faults: [],
  },
  {
    name: 'of a batch that is divided the second half is left behind',
    edits: [['src/core/slice/failing.js', '[middle, hi],', '[middle, middle + 1],']],
    faults: [],
  },
  {
    name: 'what reads itself is built in any order',
    edits: [
      ['src/core/slice/self.js', 'if (shown[i] === CODE.ready && lo < hi &&', 'if (lo > hi &&'],
      [
        'src/core/slice/self.js',
        'CODE.ready && before.every((code) => code === CODE.done)',
        'CODE.ready && before.length >= 0',
      ],
    ],
    faults: [],
  },
];

/** What of it can't be planted: each edit has its place exactly once in the build. */
export function misplaced({ edits }: Mutant): string[] {
  return edits
    .filter(([file, from]) => readFileSync(join(DIST, file), 'utf8').split(from).length !== 2)
    .map(([file, from]) => `${file}: ${from}`);
}

/** Plants it in a copy of the build, which Node takes for part of the package. Returns the copy's folder. */
export async function plant({ name, edits }: Mutant): Promise<string> {
  const folder = join(DIST, 'mutants', name.replace(/\W+/g, '-'));
  rmSync(folder, { recursive: true, force: true });
  for (const part of ['src', 'workflows', 'activities', BUNDLE]) {
    cpSync(join(DIST, part), join(folder, part), { recursive: true });
  }
  for (const [file, from, to] of edits) {
    const text = readFileSync(join(folder, file), 'utf8');
    const found = text.split(from).length - 1;
    if (found !== 1) throw new Error(`${name}: ${found} times in ${file}: ${from}`);
    writeFileSync(
      join(folder, file),
      text.replace(from, () => to),
    );
  }
  if (edits.some(([file]) => /^(workflows|src\/core)\//.test(file))) {
    const workflowsPath = join(folder, 'workflows/index.js');
    const { code } = await bundleWorkflowCode({ workflowsPath, logger: new DefaultLogger('WARN') });
    writeFileSync(join(folder, BUNDLE), code);
  }
  return folder;
}
