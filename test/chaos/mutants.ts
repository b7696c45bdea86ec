/** Bugs to be planted, each of which the harness must tell from the real build. */
import type { Planned } from './faults.js';
import type { Mutant } from './plant.js';

const SLICE = 'activities/slice.js';
const BATCHES = 'activities/run-batch.js';
const BATCH = 'activities/batch.js';
const PUBLISH = 'src/warehouse/postgres/publish.js';
const LEASE = 'src/warehouse/postgres/lease.js';
const STAGE = 'activities/stage.js';

const LOST: Planned[] = [1, 20, 40].map((after) => ({ fault: 'the answer to COMMIT is lost', after }));
const SENT: Planned[] = [1, 20, 40].map((after) => ({ fault: 'a connection is cut once COMMIT is sent', after }));
const KILLED: Planned[] = [3, 25].map((after) => ({ fault: 'kill -9 of the worker', after }));
const STUCK: Planned[] = [{ fault: 'kill -9 of the worker, in the middle of a slice', after: 0 }];
const BETWEEN: Planned[] = [{ fault: 'kill -9 of the worker between two chunks', after: 0 }];

export const MUTANTS: readonly Mutant[] = [
  {
    name: 'no fence: whoever is overtaken publishes all the same',
    part: 'moves',
    edits: [[PUBLISH, 'if (held.rowCount !== 1)', 'if (held.rowCount === -1)']],
    faults: 'zombies',
  },
  {
    name: 'the fence looks at the backfill, not at the attempt',
    part: 'moves',
    edits: [[PUBLISH, 'l.slice = $3 AND l.attempt = $4 AND', 'l.slice = $3 AND $4::int IS NOT NULL AND']],
    faults: 'zombies',
  },
  {
    name: 'a lease that overlaps is not taken away',
    part: 'moves',
    edits: [[LEASE, 'l.lo < b.hi AND b.lo < l.hi', 'l.lo = b.lo + 1000000 AND b.lo < l.hi']],
    faults: 'zombies',
  },
  {
    name: 'a zombie of a backfill that has ended is let in',
    part: 'moves',
    edits: [
      [PUBLISH, 'if (held.rowCount !== 1)', 'if (held.rowCount === -1)'],
      ['src/warehouse/postgres/gate.js', 'if (row.fenced)', 'if (row.fenced && false)'],
      [
        'src/warehouse/postgres/gate.js',
        'r.epoch IS NULL OR c.cancelled OR c.paused OR l.slots',
        'c.cancelled OR c.paused OR l.slots',
      ],
    ],
    faults: 'zombies of an ended backfill',
  },
  {
    name: 'COMMIT is done again when its answer is lost',
    part: 'merges',
    edits: [[BATCHES, 'stretchesWithout(ours, partitions)', '[[...partitions]]']],
    faults: LOST,
  },
  {
    name: 'the ledger is written after the transaction',
    part: 'merges',
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
    part: 'moves',
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
    part: 'reads',
    edits: [
      [
        'src/warehouse/postgres/ledger.js',
        '(p.epoch > $5 OR p.epoch = $5 AND p.version = $6)',
        '($5::bigint IS NOT NULL AND p.version = $6)',
      ],
    ],
    faults: [],
  },
  {
    name: '> for >= where an interval begins',
    part: 'reads',
    edits: [['src/postgres/time.js', '${column} >= ${boundOf(time, start)}', '${column} > ${boundOf(time, start)}']],
    faults: [],
  },
  {
    name: '<= for < where an interval ends',
    part: 'reads',
    edits: [['src/postgres/time.js', '${column} < ${boundOf(time, end)}', '${column} <= ${boundOf(time, end)}']],
    faults: [],
  },
  {
    name: 'readers are told of a partition before it is committed',
    part: 'reads',
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
    part: 'fails',
    edits: [['workflows/outcome.js', 'fail(state, slice, outcome);', 'markDone(state.board, [outcome.span]);']],
    faults: [],
  },
  {
    name: 'of partitions that share a statement the first comes into the ledger',
    part: 'reads',
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
    part: 'merges',
    edits: [[PUBLISH, 'WHERE ${where}`, bounds)', 'WHERE ${where} AND false`, bounds)']],
    faults: [],
  },
  {
    name: 'of a batch only the first partition is emptied',
    part: 'reads',
    edits: [[PUBLISH, "partitions[hi - 1]?.end ?? ''", "partitions[lo]?.end ?? ''"]],
    faults: [],
  },
  {
    name: 'of a batch only the first partition is copied',
    part: 'merges',
    edits: [[BATCH, 'for (const interval of partitions) {', 'for (const interval of partitions.slice(0, 1)) {']],
    faults: [],
  },
  {
    name: 'a row that moved stays where it was, too',
    part: 'moves',
    edits: [
      ['src/warehouse/postgres/moves.js', 'WHERE ${elsewhere} RETURNING', 'WHERE ${elsewhere} AND false RETURNING'],
    ],
    faults: [],
  },
  {
    name: 'what a moved row left is not marked',
    part: 'moves',
    edits: [
      [
        'src/warehouse/postgres/moves.js',
        "SET moved = NOT h.ours, digest = ''",
        'SET moved = p.moved, digest = p.digest',
      ],
    ],
    faults: [],
  },
  // That it is left behind altogether is no bug: what no report mentions of a slice that has ended is ready again (`giveBack`).
  {
    name: 'of a batch that is divided the second half counts as done',
    part: 'fails',
    edits: [
      [
        'src/core/slice/failing.js',
        'import { halt, markFailed, release }',
        'import { halt, markDone, markFailed, release }',
      ],
      [
        'src/core/slice/failing.js',
        'release(board, decision.halves);',
        'release(board, [decision.halves[0]]); markDone(board, [decision.halves[1]]); decision.halves.pop();',
      ],
    ],
    faults: [],
  },
  {
    name: 'what reads itself is built in any order',
    part: 'reads',
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
  {
    name: 'a later attempt believes the heartbeat of the one before, which spoke before it committed',
    part: 'moves',
    edits: [
      [
        SLICE,
        'context.heartbeat(details);\n    }, HEARTBEAT_MS)',
        'context.heartbeat(context.said);\n    }, HEARTBEAT_MS)',
      ],
      [
        SLICE,
        'for (const span of input.batches) {',
        `for (const span of input.batches) {
          if (begun < (Context.current().info.heartbeatDetails ?? 0)) { begun++; done.push({ span: [...span], rows: 0, ms: 0, skipped: true }); continue; }
          Context.current().said = begun + 1;`,
      ],
    ],
    faults: STUCK,
  },
  {
    name: 'a later attempt goes on one chunk too far',
    part: 'moves',
    edits: [
      [
        STAGE,
        'left: [...staging.chunks]',
        'left: staging.chunks.filter((c) => who.attempt === 1 || c !== staging.chunks.find((o) => o.rows === null))',
      ],
    ],
    faults: BETWEEN,
  },
  {
    name: 'a chunk that is read again is added to what was read of it',
    part: 'moves',
    edits: [
      ['src/warehouse/postgres/chunks.js', '`DROP TABLE IF EXISTS ${quoteTable(chunk)}`', "'SELECT 1'"],
      [
        'src/warehouse/postgres/chunks.js',
        'name: `${table.name}_${n}` }',
        'name: `${table.name}_${n}_${who.attempt}` }',
      ],
      [
        'src/source/postgres/chunks.js',
        'export async function isUnchanged(',
        'export async function isUnchanged() { return false; } async function unused(',
      ],
    ],
    faults: BETWEEN,
  },
  {
    name: 'what any backfill before has published of an input counts as done',
    part: 'reads',
    edits: [
      [
        'activities/load-dataset.js',
        '(epoch > ? OR epoch = ? AND version = ?)',
        '(?::bigint + ?::bigint IS NOT NULL AND version = ?)',
      ],
    ],
    faults: [],
  },
  {
    name: 'a partition starts when one of its inputs is done',
    part: 'reads',
    edits: [['src/core/slice/upstream.js', 'isDone === hi - lo', 'isDone > 0']],
    faults: [],
  },
  {
    name: 'a batch whose connection was lost counts as published',
    part: 'merges',
    edits: [
      [
        BATCHES,
        'const fault = faultOfBatch(error, dataset, who, partitions);',
        `const fault = faultOfBatch(error, dataset, who, partitions);
        if (['connection_lost', 'server_shutdown'].includes(fault.code)) return { span: [...span], rows: 0, ms: 0, skipped: true };`,
      ],
    ],
    faults: [1, 15, 30, 45].map((after) => ({ fault: 'all sessions are ended', after })),
  },
  {
    name: 'each try of a call has a key of its own',
    part: 'fails',
    edits: [
      [
        'activities/call.js',
        'partition.end, version, backfillId]',
        'partition.end, version, backfillId, Math.random()]',
      ],
    ],
    faults: [],
  },
  {
    name: 'merge leaves the rows that are there',
    part: 'merges',
    edits: [['src/warehouse/postgres/staging.js', 'DO UPDATE SET ${set}`', 'DO NOTHING`']],
    faults: [],
  },
  {
    name: 'the ledger keeps the digest of the first publish',
    part: 'reads',
    edits: [
      [
        'src/warehouse/postgres/ledger.js',
        'rows = excluded.rows, digest = excluded.digest,',
        'rows = excluded.rows, digest = p.digest,',
      ],
    ],
    faults: [],
  },
  {
    name: 'a backfill that ends keeps what it held',
    part: 'merges',
    edits: [['activities/control-activities.js', 'await release(deps.db, ref.workflowId);', '']],
    faults: [],
  },
];
