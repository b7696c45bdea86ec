/** For each promise of docs/guarantees.md a bug that breaks what keeps it, and the test that must see it. */

import type { Edit } from '../support/edits.js';

export interface Broken {
  /** The bold words of its row. */
  readonly promise: string;
  /** The planted bug, in the words of the page. */
  readonly what: string;
  /** In the source, exactly once: a bug that cannot be planted any more must be planted anew. */
  readonly edits: readonly Edit[];
  /** A test file that the row names. */
  readonly test: string;
  /** Parts of titles, where not all of the file has to run. The last one must fail; it goes on from what those before it left. */
  readonly names?: readonly string[];
}

const E2E = 'test/e2e';
const PUBLISH = 'src/warehouse/postgres/publish.ts';
const LEDGER = 'src/warehouse/postgres/ledger.ts';

const LOST = 'Nothing lost, nothing doubled';
const DEPLOYS = 'A deploy disturbs no backfill';
const WAREHOUSE = 'The warehouse comes first';
const LARGE = 'A large partition is not begun again';
const SILENT = 'Nothing is silent';
const FOREIGN = 'What sluice did not write is not deleted';
const TABLE = 'The ledger speaks of a table';
const KEY = 'A key is in one partition only';
const OUTLIVES = 'A worker outlives what Temporal refuses for a while';
const LOCKS = 'Nobody waits for a lock of ours';
const WHOLE = 'A source is read whole, or refused';
const LET_GO = 'A held backfill holds what it has not done, and no more';
const SAID = 'What a person leaves out is said';
const UNSEEN = 'No dataset is read unseen';
const SAME = 'SQL means the same in every database';
const SHAPES = 'A changed definition leaves nothing behind';
const TAKEN = 'What is taken as it is changes nothing else';
const DBT = 'An import from dbt gives no other answer';
const MAJORS = 'Every PostgreSQL from 13 to 18';
const LIMIT = 'Everything has a limit';

const CLOCK = 'The warehouse’s clock decides';
const ONCE = 'A request is resolved once';
const MOVED = 'A warehouse may move to another server';

export const BROKEN: readonly Broken[] = [
  {
    promise: UNSEEN,
    what: 'no function is looked into',
    edits: [
      ['src/planning/function-reads.ts', 'if (asked.functions.length === 0)', 'if (asked.functions.length >= 0)'],
    ],
    test: `${E2E}/hidden.test.ts`,
    names: ['a function that reads a dataset is refused'],
  },
  {
    promise: UNSEEN,
    what: 'whose table an extract reads is not asked',
    edits: [
      ['src/planning/describe-extract.ts', 'if (!(await isOurs(one))) continue;', 'if (await isOurs(one)) continue;'],
    ],
    test: `${E2E}/hidden.test.ts`,
    names: ['an extract of a dataset of its own project is refused'],
  },
  {
    promise: SAME,
    what: 'a session follows its database',
    edits: [
      ['src/postgres/pool.ts', 'WHERE s.setting IS DISTINCT FROM v.value UNION', 'WHERE s.setting IS NULL UNION'],
    ],
    test: `${E2E}/odd-settings.test.ts`,
  },
  {
    promise: FOREIGN,
    what: 'a foreign key takes rows of others',
    edits: [['src/planning/hazards.ts', "k.confdeltype IN ('c', 'n', 'd')", "k.confdeltype IN ('x')"]],
    test: `${E2E}/hidden.test.ts`,
    names: ['a table whose rows take others with them'],
  },
  {
    promise: LOST,
    what: 'whoever is overtaken publishes all the same',
    edits: [[PUBLISH, 'if (held.rowCount !== 1)', 'if (held.rowCount === -1)']],
    test: `${E2E}/reliability-fence.test.ts`,
    names: ['overtaken before it publishes'],
  },
  {
    promise: LOST,
    what: 'any attempt of the slice may publish, not only the one that holds the lease',
    edits: [[PUBLISH, 'l.slice = $3 AND l.attempt = $4 AND', 'l.slice = $3 AND $4::int IS NOT NULL AND']],
    test: `${E2E}/reliability-fence.test.ts`,
    names: ['overtaken before it publishes'],
  },
  {
    promise: LOST,
    what: 'a later attempt does again what an earlier one has published',
    edits: [['activities/run-batch.ts', 'stretchesWithout(ours, partitions)', '[[...partitions]]']],
    test: `${E2E}/reliability-kill.test.ts`,
    names: ['an attempt that wakes up after its successor'],
  },
  {
    promise: LOST,
    what: 'the ledger row is written after the commit',
    edits: [
      [
        'activities/batch.ts',
        "    () => writeLedger(warehouse, who, dataset, published, null, rowsLeftOf(dataset)),\n    () => warehouse.query('COMMIT'),",
        "    () => warehouse.query('COMMIT'),\n    () => writeLedger(warehouse, who, dataset, published, null, rowsLeftOf(dataset)),",
      ],
    ],
    test: `${E2E}/reliability-kill.test.ts`,
    names: ['kill -9 of workers again and again'],
  },
  {
    promise: 'What it stands on may be restarted',
    what: 'control is tried once',
    edits: [
      [
        'workflows/proxies.ts',
        'return controlProxy(ref, {}, takenUpWithin);',
        'return controlProxy(ref, { maximumAttempts: 1 }, takenUpWithin);',
      ],
    ],
    test: `${E2E}/restarts.test.ts`,
    names: ['PostgreSQL and then Temporal are killed'],
  },
  {
    promise: DEPLOYS,
    what: 'a plan is looked up by the newest one, not by its fingerprint',
    edits: [
      [
        'src/store/plans.ts',
        'USING (fingerprint) WHERE fingerprint = ? AND d.name = ?',
        'USING (fingerprint) WHERE (fingerprint = ? OR true) AND d.name = ? ORDER BY p.created_at DESC LIMIT 1',
      ],
    ],
    test: `${E2E}/deploys.test.ts`,
    names: ['workers and project are replaced'],
  },
  {
    promise: DEPLOYS,
    what: 'SIGTERM cancels the batches that run',
    edits: [['src/worker/run.ts', "shutdownGraceTime: '30s'", "shutdownGraceTime: '1ms'"]],
    test: `${E2E}/deploys.test.ts`,
    names: ['workers and project are replaced'],
  },
  {
    promise: DEPLOYS,
    what: 'a versioned backfill moves on to the next build',
    edits: [
      ['src/worker/version.ts', "defaultVersioningBehavior: 'PINNED'", "defaultVersioningBehavior: 'AUTO_UPGRADE'"],
    ],
    test: `${E2E}/deploys.test.ts`,
    names: ['a versioned backfill ends on the build'],
  },
  {
    promise: 'A changed grain loses nothing',
    what: 'what an older partition covers beyond what is built is forgotten',
    edits: [
      [
        LEDGER,
        'FROM older WHERE ends_at > $12::timestamptz) r)',
        'FROM older WHERE ends_at > $12::timestamptz AND false) r)',
      ],
    ],
    test: `${E2E}/time.test.ts`,
    names: ['whatever is published over whatever'],
  },
  {
    promise: 'No half-built data',
    what: 'the statements of a batch are no transaction',
    edits: [[PUBLISH, "BEGIN = 'BEGIN ISOLATION LEVEL REPEATABLE READ'", "BEGIN = 'SELECT 1'"]],
    test: `${E2E}/cli-journeys.test.ts`,
    names: ['rows without an event time', 'rows outside their partition, which nobody ever sees'],
  },
  {
    promise: 'Each date waits only for its own inputs',
    what: 'one bad partition stops all that reads its dataset',
    edits: [
      [
        'src/core/slice/upstream.ts',
        'if (isDone === hi - lo) return CODE.ready;',
        'if (bad.includes(CODE.failed)) return CODE.blocked;\n    if (done.every((is) => is === 1)) return CODE.ready;',
      ],
    ],
    test: `${E2E}/cli-journeys.test.ts`,
    names: ['duplicate keys'],
  },
  {
    promise: WAREHOUSE,
    what: 'a slot is taken by any number of batches',
    edits: [
      [
        'src/warehouse/postgres/gate.ts',
        'THEN false ELSE pg_try_advisory_lock($5, i) END',
        'THEN false ELSE pg_try_advisory_lock_shared($5, i) END',
      ],
    ],
    test: `${E2E}/reliability-kill.test.ts`,
    names: ['slots hold over two workers'],
  },
  {
    promise: WAREHOUSE,
    what: 'the Temporal server is told no rate',
    edits: [['src/worker/limits.ts', 'const rate = limit.rate ?? undefined;', 'const rate = undefined;']],
    test: `${E2E}/reliability-faults.test.ts`,
    names: ['two workers keep the rate together'],
  },
  {
    promise: WAREHOUSE,
    what: 'a governor that is gone lets everything through',
    edits: [['src/store/migrations.ts', 'CASE WHEN s.silent THEN 0 WHEN', 'CASE WHEN s.silent AND false THEN 0 WHEN']],
    test: `${E2E}/governor.test.ts`,
    names: ['a governor that cannot say a word'],
  },
  {
    promise: WAREHOUSE,
    what: 'what is declared stops nothing',
    edits: [
      [
        'src/core/throttle/stops.ts',
        'if (value === null || value <= above) return [];',
        'if (value === null || value > -1) return [];',
      ],
    ],
    test: `${E2E}/governor.test.ts`,
    names: ['a declared query over its bound'],
  },
  {
    promise: WAREHOUSE,
    what: 'the law does not count who else works there',
    edits: [
      [
        'src/core/throttle/adaptive.ts',
        'const room = knee - foreground - Math.sqrt(foreground);',
        'const room = knee;',
      ],
    ],
    test: 'test/core/throttle-simulator.test.ts',
  },
  {
    promise: 'A worker that lacks what others have fails nothing',
    what: 'it never stands aside',
    edits: [['activities/connecting.ts', 'if (instead || !isOwn(fault) ||', 'if (instead || isOwn(fault) ||']],
    test: `${E2E}/aside.test.ts`,
    names: ['that only one worker has'],
  },
  {
    promise: 'The ledger is the truth',
    what: 'what the ledger has is built again',
    edits: [
      [
        'src/core/plan/asked.ts',
        "if (rebuild === 'missing') return Reason.none;",
        "if (rebuild === 'missing') return Reason.asked;",
      ],
    ],
    test: `${E2E}/engine.test.ts`,
  },
  {
    promise: 'Equal content stales nothing',
    what: 'equal content counts as changed',
    edits: [[LEDGER, 'THEN p.changed_xid ELSE excluded.xid END', 'THEN excluded.xid ELSE excluded.xid END']],
    test: `${E2E}/planning.test.ts`,
    names: ['missing, stale and all count', 'publishing equal content stales nothing'],
  },
  {
    promise: 'Equal content stales nothing',
    what: 'changed content counts as equal',
    edits: [[LEDGER, 'THEN p.changed_xid ELSE excluded.xid END', 'THEN p.changed_xid ELSE p.changed_xid END']],
    test: `${E2E}/planning.test.ts`,
    names: ['missing, stale and all count', 'publishing equal content stales nothing'],
  },
  {
    promise: 'Equal content stales nothing',
    what: 'what PostgreSQL calls equal has one digest',
    edits: [
      [
        'src/warehouse/postgres/digest.ts',
        'hash_array_extended(ARRAY[record_send(ROW(${list}))], 0)',
        'hash_record_extended(ROW(${list}), 0)',
      ],
    ],
    test: `${E2E}/digest.test.ts`,
    names: ['equal and not the same'],
  },
  {
    promise: MAJORS,
    what: 'a server that is not PostgreSQL is taken for one',
    edits: [['src/postgres/server.ts', 'pattern.test(said)', "pattern.test('')"]],
    test: 'test/core/server.test.ts',
  },
  {
    promise: MAJORS,
    what: 'a type that the warehouse lacks is asked of it all the same',
    edits: [['src/planning/held-types.ts', 'rows[0]?.known === true', 'rows[0]?.known !== null']],
    test: `${E2E}/held-types.test.ts`,
  },
  {
    promise: 'Joined is the same as one by one',
    what: 'it is not asked where a statement uses the borders of its interval',
    edits: [
      [
        'src/project/coalesce/judge.ts',
        "if (all(tree, 'ParamRef').some((param) => !used.has(param))) objections",
        'if (used.size < 0) objections',
      ],
    ],
    test: 'test/coalesce/property.test.ts',
    names: ['what the judge joins is the same one by one'],
  },
  {
    promise: 'Nothing is read beyond what is said',
    what: 'a limit outside of a query counts inside of every query',
    edits: [['src/project/reads/select.ts', 'if (isPlain(select)) return true;', 'if (isNode(select)) return true;']],
    test: 'test/coalesce/reads.test.ts',
    names: ['rows that a query is not said to read change nothing'],
  },
  {
    promise: 'Nothing is read beyond what is said',
    what: 'ON limits both sides of an outer join',
    edits: [
      [
        'src/project/reads/from.ts',
        "collect(larg, type === 'JOIN_INNER' || type === 'JOIN_RIGHT' ? narrowed",
        'collect(larg, narrowed.length > 0 ? narrowed',
      ],
    ],
    test: 'test/coalesce/reads.test.ts',
    names: ['rows that a query is not said to read change nothing'],
  },
  {
    promise: LARGE,
    what: 'every chunk is read again',
    edits: [['src/source/postgres/chunks.ts', 'return rows[0]?.same === true;', 'return rows[0]?.same === null;']],
    test: `${E2E}/large.test.ts`,
    names: ['kill -9 between chunks'],
  },
  {
    promise: LARGE,
    what: 'a chunk of an older snapshot is not checked',
    edits: [['src/source/postgres/chunks.ts', 'return rows[0]?.same === true;', 'return rows[0]?.same !== null;']],
    test: `${E2E}/large.test.ts`,
    names: ['kill -9 between chunks'],
  },
  {
    promise: SILENT,
    what: 'planning does not tell a missing table from other faults',
    edits: [
      [
        'src/planning/describe-transform.ts',
        'if (!isRefusedStatement(sqlstate)) throw error;',
        'if (isRefusedStatement(sqlstate)) throw error;',
      ],
    ],
    test: `${E2E}/bad-input.test.ts`,
  },
  {
    promise: SILENT,
    what: 'what failed is known by no code of its own',
    edits: [['src/core/fault.ts', "'22012': ['division_by_zero', 'poison'],", '']],
    test: `${E2E}/client.test.ts`,
    names: ['a held backfill says what failed'],
  },
  {
    promise: SILENT,
    what: 'without a worker a backfill has done nothing',
    edits: [['src/store/kept-status.ts', 'done: Math.min(done, total),', 'done: 0 * done,']],
    test: `${E2E}/unanswered.test.ts`,
  },
  {
    promise: FOREIGN,
    what: 'a batch deletes whatever is in its partitions',
    edits: [[PUBLISH, 'if (foreign > 0)', 'if (foreign < 0)']],
    test: `${E2E}/planning-tables.test.ts`,
    names: [
      'a target table has exactly the columns',
      'two backfills of one range',
      'rows that sluice did not write are never replaced',
    ],
  },
  {
    promise: FOREIGN,
    what: 'planning takes over a table that is full',
    edits: [
      [
        'src/planning/ddl.ts',
        'if (!state.owner && !state.empty && !overwrite)',
        'if (!state.owner && state.empty && !overwrite)',
      ],
    ],
    test: `${E2E}/planning-tables.test.ts`,
    names: ['a target table has exactly the columns', 'a table has one owner'],
  },
  {
    promise: TABLE,
    what: 'what read another table counts as up to date',
    edits: [
      [
        'src/store/stale.ts',
        'NOT coalesce(p.inputs @> ?::jsonb, true)',
        'NOT coalesce(p.inputs @> ?::jsonb, true) AND false',
      ],
    ],
    test: `${E2E}/tables.test.ts`,
    names: ['a target that is another table'],
  },
  {
    promise: TABLE,
    what: 'what was built in another table counts as built in this one',
    edits: [
      ['src/planning/places.ts', 'return { key: NOWHERE, found, current,', 'return { key: name, found, current,'],
    ],
    test: `${E2E}/tables.test.ts`,
    names: ['a target that is another table'],
  },
  {
    promise: KEY,
    what: 'the partition that a row left is not marked',
    edits: [
      [
        'src/warehouse/postgres/moves.ts',
        "SET moved = NOT h.ours, digest = ''",
        'SET moved = p.moved, digest = p.digest',
      ],
    ],
    test: `${E2E}/publish.test.ts`,
    names: ['a row whose time moved follows'],
  },
  {
    promise: KEY,
    what: 'what a merge has built and then took rows from is left stale',
    edits: [['src/warehouse/postgres/moves.ts', "publish === 'merge' ?", "publish === 'view' ?"]],
    test: `${E2E}/publish.test.ts`,
    names: ['merge upserts by key', 'a day that is built before another takes its rows'],
  },
  {
    promise: KEY,
    what: 'a row that moved goes, where it should fail its partition',
    edits: [['src/warehouse/postgres/moves.ts', "const follow = dataset.moves === 'follow';", 'const follow = true;']],
    test: `${E2E}/publish.test.ts`,
    names: ['a row whose time moved follows', 'moves: fail names both partitions'],
  },
  {
    promise: 'Values stay in the warehouse',
    what: "a failure says it in the database's own words",
    edits: [
      [
        'src/core/fault.ts',
        'words: KEEPS_WORDS.has(group) && !quotesUrl ? message : typeWords(message)',
        'words: quotesUrl ? typeWords(message) : message',
      ],
    ],
    test: `${E2E}/reliability-faults.test.ts`,
    names: ['one bad row fails its own partition'],
  },
  {
    promise: TAKEN,
    what: 'what is taken counts as changed',
    edits: [
      [
        'src/planning/stale-rows.ts',
        'snapshot = me.snapshot, moved',
        'changed_xid = me.xid, snapshot = me.snapshot, moved',
      ],
    ],
    test: `${E2E}/adopt.test.ts`,
    names: ['forward-only: a changed definition is taken'],
  },
  {
    promise: TAKEN,
    what: 'it does not hear of later changes',
    edits: [
      [
        'src/planning/stale-rows.ts',
        'snapshot = me.snapshot, moved',
        `snapshot = '9000000000:9000000000:'::pg_snapshot, moved`,
      ],
    ],
    test: `${E2E}/adopt.test.ts`,
    names: ['forward-only: a changed definition is taken'],
  },
  {
    promise: TAKEN,
    what: 'another key is taken',
    edits: [
      [
        'src/planning/stale-judge.ts',
        "if (key?.toSorted().join('\\n') === wanted) continue;",
        'if (key !== undefined || wanted) continue;',
      ],
    ],
    test: `${E2E}/adopt.test.ts`,
    names: ['another structure is refused'],
  },
  {
    promise: DBT,
    what: 'a CTE hides the table of a model',
    edits: [
      [
        'src/project/dbt/rewrite.ts',
        'dataset !== undefined && ctes.names.has(dataset)',
        'dataset !== undefined && ctes.names.has(``)',
      ],
    ],
    test: 'test/project/dbt-sql.test.ts',
    names: ['a CTE never hides the table of a model'],
  },
  {
    promise: DBT,
    what: 'what dbt does not limit is limited to the interval',
    edits: [['src/project/dbt/batches.ts', '[!mention.rendered]', '[true]']],
    test: 'test/project/dbt-sql.test.ts',
    names: ['each ref of a microbatch model is limited as dbt limits it'],
  },
  {
    promise: DBT,
    what: 'the SQL of one run is taken for that of the whole',
    edits: [['src/project/dbt/incremental.ts', '!matches(branches.asked, compiled) &&', '']],
    test: 'test/project/dbt-sql.test.ts',
    names: ['SQL of is_incremental() is never built as the whole'],
  },
  {
    promise: CLOCK,
    what: "a worker's clock says what is complete",
    // What was not complete when it was asked for is kept out by another clock, of the row in `sluice.backfills`.
    edits: [
      ['src/store/clock.ts', 'return row.now;', 'return row.now && Date.now();'],
      ['src/core/plan/asked.ts', 'askedAt === Infinity ?', 'askedAt > 0 ?'],
    ],
    test: `${E2E}/clocks.test.ts`,
    names: ['a worker whose clock is ahead'],
  },
  {
    promise: CLOCK,
    what: 'what was published before its end is up to date',
    edits: [['src/store/stale.ts', 'WHEN p.published_at < p.ends_at AND', 'WHEN p.published_at < p.starts_at AND']],
    test: `${E2E}/clocks.test.ts`,
    names: ['what was published before its end counts as missing'],
  },
  {
    promise: CLOCK,
    what: 'a lookback is taken to begin an hour before the second of two, at most',
    edits: [
      [
        'src/store/stale.ts',
        "(s.local - ((s.before AT TIME ZONE s.zone) - (s.before AT TIME ZONE 'UTC'))) AT TIME ZONE 'UTC' AS first",
        "s.t - interval '1 hour' AS first",
      ],
    ],
    test: `${E2E}/lookbacks.test.ts`,
  },
  {
    promise: 'A range is a bound where that is said',
    what: 'what reads the range is built wherever it lies',
    edits: [['src/core/plan/obstacles.ts', 'if (only && !track.timeless)', 'if (only && track.timeless)']],
    test: 'test/core/plan-property.test.ts',
  },
  {
    promise: 'What is shown is what runs',
    what: 'the zone of the session is left out',
    edits: [['src/planning/render.ts', 'sessionZone({ kind: body.kind, zone: axis.zone })', "'UTC'"]],
    test: `${E2E}/asking.test.ts`,
    names: ['render: what is printed'],
  },
  {
    promise: ONCE,
    what: 'a plan of the same backfill counts the range anew',
    edits: [['src/planning/plan.ts', 'asked ?? rangeOfRequest(', 'rangeOfRequest(']],
    test: `${E2E}/clocks.test.ts`,
    names: ['a request is resolved once'],
  },
  {
    promise: ONCE,
    what: 'what was not complete when it was asked for is asked for later',
    edits: [['src/core/plan/asked.ts', 'askedAt === Infinity ?', 'askedAt > 0 ?']],
    test: `${E2E}/clocks.test.ts`,
    names: ['a request is resolved once'],
  },
  {
    promise: MOVED,
    what: 'transactions of the new server count from where they are',
    edits: [['src/store/server.ts', 'base = greatest(s.base, sluice.highest_xid())', 'base = s.base']],
    test: `${E2E}/clocks.test.ts`,
    names: ['restored on another server'],
  },
  {
    promise: MOVED,
    what: 'a backfill goes on after its warehouse was moved',
    edits: [[PUBLISH, 'if (held.rows[0]?.here === false)', 'if (held.rows[0]?.here === null)']],
    test: `${E2E}/clocks.test.ts`,
    names: ['whose warehouse is moved under it'],
  },
  {
    promise: LIMIT,
    what: 'a dataset never continues as new',
    edits: [
      [
        'workflows/dataset.ts',
        'return continueAsNewSuggested || historyLength > HISTORY_MAX;',
        'return continueAsNewSuggested && historyLength < 0;',
      ],
    ],
    test: `${E2E}/restarts.test.ts`,
    names: ['replayed at every task, in short histories'],
  },
  {
    promise: LIMIT,
    what: 'no statement and no wait for a lock has a time-out',
    edits: [
      [
        'activities/session.ts',
        "{ statement_timeout: '1h', lock_timeout: '10s' }",
        "{ statement_timeout: '0', lock_timeout: '0' }",
      ],
    ],
    test: `${E2E}/review.test.ts`,
    names: ['a session has its limits'],
  },
  {
    promise: SHAPES,
    what: 'rows of a former time stay where no partition holds them',
    edits: [[PUBLISH, 'of orphansSql(dataset, time))', 'of orphansSql(dataset, time).slice(9))']],
    test: `${E2E}/shapes.test.ts`,
    names: ['a corrected zone'],
  },
  {
    promise: SHAPES,
    what: 'a partition is not asked whether it has columns of its source',
    edits: [['src/planning/shapes.ts', 'return now.some(', 'return now.length < 0 && now.some(']],
    test: `${E2E}/shapes.test.ts`,
    names: ['a column under another name at the source'],
  },
  {
    promise: SHAPES,
    what: 'a former key’s index stays',
    edits: [['src/warehouse/postgres/target.ts', '...former.map(', '...former.slice(1).map(']],
    test: `${E2E}/shapes.test.ts`,
    names: ['another key'],
  },
  {
    promise: SHAPES,
    what: 'whoever lost a key is not asked whether it has it still',
    edits: [['activities/yields.ts', 'return rows[0]?.yes === true;', 'return rows[0]?.yes === null;']],
    test: `${E2E}/shapes.test.ts`,
    names: ['a key that is in two partitions'],
  },
  {
    promise: OUTLIVES,
    what: 'what the server refuses for a while ends the worker',
    edits: [['src/worker/beside.ts', 'said = words;\n        return false;', 'said = words;\n        throw error;']],
    test: `${E2E}/worker-start.test.ts`,
  },
  {
    promise: LOCKS,
    what: 'a table is waited for as long as it takes',
    edits: [['src/planning/lock.ts', "const GIVE_WAY = '1s';", "const GIVE_WAY = '10min';"]],
    test: `${E2E}/locks.test.ts`,
    names: ['a column that cannot be added for a reader'],
  },
  {
    promise: WHOLE,
    what: 'policies show a part of a table',
    edits: [['src/postgres/pool.ts', "row_security: 'off',", "row_security: 'on',"]],
    test: `${E2E}/unreadable.test.ts`,
  },
  {
    promise: LET_GO,
    what: 'what a held backfill has published stays reserved',
    edits: [['src/store/reservations.ts', 'over === undefined ? [one] :', 'over?.length !== -1 ? [one] :']],
    test: `${E2E}/held.test.ts`,
    names: ['what a held backfill has published'],
  },
  {
    promise: SAID,
    what: 'an end with skips says that all is published',
    edits: [['workflows/backfill.ts', "if (skipped === 0) return 'all", "if (skipped >= 0) return 'all"]],
    test: `${E2E}/held.test.ts`,
    names: ['skip without a range'],
  },
  {
    promise: 'Nothing waits in silence for a worker',
    what: 'what nobody ever planned waits for a worker to end',
    edits: [
      [
        'workflows/served.ts',
        'isUntaken(error) && run.opened === undefined',
        'isUntaken(error) && run.ending !== run.ending',
      ],
    ],
    test: `${E2E}/unserved.test.ts`,
    names: ['it says that no worker serves'],
  },
];
