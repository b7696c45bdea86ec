import assert from 'node:assert/strict';
import { test } from 'node:test';
import { whyLines } from '../../src/cli/render/why.js';
import type { BackfillStatus, DatasetStatus } from '../../src/contracts/status.js';
import { DAY_MS } from '../../src/core/time/calendar.js';
import { explain } from '../../src/planning/why.js';
import type { HeldInterval, PublishedPartition, WhyFacts } from '../../src/planning/why-types.js';
import { hullsOf } from '../../src/planning/why-inputs.js';
import type { Project } from '../../src/project/project.js';
import { load, projectFiles, transform } from '../project/helpers.js';
import { shown } from './support/shown.js';

const DAY = (day: number): number => Date.UTC(2013, 2, day);
const partition = (day: number): { start: number; end: number } => ({ start: DAY(day), end: DAY(day + 1) });

/** raw → clean (same day) → week (its day and the six before) → monthly; all (grain none) reads clean. */
async function project(): Promise<Project> {
  const read = (from: string): string => `SELECT t FROM ${from} WHERE t >= :start AND t < :end`;
  return load(
    projectFiles({
      'datasets/week.sql': transform(read('clean'), 'time: t\nneeds: { clean: { lookback: 6d } }'),
      'datasets/monthly.sql': transform(read('clean'), 'time: t\ngrain: month'),
      'datasets/everything.sql': transform('SELECT count(*) AS n FROM clean', 'grain: none'),
    }),
  );
}

function row(day: number, more: Partial<PublishedPartition> = {}): PublishedPartition {
  return {
    ...partition(day),
    backfillId: 'b1',
    version: 'aabbccddeeff0011',
    rows: 900,
    publishedAt: '2026-03-01T12:00:00Z',
    ...more,
  };
}

function rows(...days: readonly number[]): Map<number, PublishedPartition> {
  return new Map(days.map((day) => [DAY(day), row(day)]));
}

function factsOf({ datasets }: Project, facts: Partial<WhyFacts> = {}): WhyFacts {
  return {
    now: Date.UTC(2014, 0, 1),
    timezone: 'UTC',
    environment: 'default',
    datasets,
    verdicts: new Map(),
    published: new Map(),
    changed: [],
    held: [],
    failures: [],
    ...facts,
  };
}

function held(dataset: string, state: BackfillStatus['state'], own: Partial<DatasetStatus> = {}): HeldInterval {
  const counts = { total: 31, done: 4, failed: 0, blocked: 0, skipped: 0 };
  return {
    dataset,
    start: DAY(1),
    end: DAY(32),
    backfillId: 'b2',
    status: {
      id: 'b2',
      project: 'p',
      environment: 'default',
      state,
      reason: 'as told',
      startedAt: '',
      endedAt: null,
      partitions: counts,
      rows: 0,
      waiting: null,
      warnings: [],
      datasets: [
        {
          name: dataset,
          state: 'running',
          ...counts,
          running: 0,
          rows: 0,
          failureCount: 0,
          failures: [],
          needs: [],
          ...own,
        },
      ],
    },
  };
}

test('a published partition: by whom, when, how many rows, from which definition', async () => {
  const cause = explain(factsOf(await project(), { published: new Map([['raw', rows(10)]]) }), 'raw', partition(10));
  assert.deepEqual(cause, {
    dataset: 'raw',
    interval: { start: '2013-03-10T00:00:00Z', end: '2013-03-11T00:00:00Z' },
    state: 'published',
    cause: 'Published by backfill b1 at 2026-03-01T12:00:00Z: 900 rows, definition aabbccdd.',
    inputs: [],
  });
});

test('a ledger row of another grain does not publish the partition', async () => {
  const published = new Map([['raw', new Map([[DAY(10), row(10, { end: DAY(12) })]])]]);
  assert.equal(explain(factsOf(await project(), { published }), 'raw', partition(10)).state, 'missing');
});

test('missing all the way up: one command for the whole chain, at its root', async () => {
  const facts = factsOf(await project(), { published: new Map([['raw', rows(10)]]) });
  assert.equal(
    shown(whyLines(explain(facts, 'clean', partition(11)), { width: 90, height: 40, now: 0, color: false })),
    `
clean 2013-03-11 missing
│ It is not in the ledger, and no backfill is building it. It reads raw, which is not
│ published.
│ type sluice backfill +clean --on 2013-03-11
└─ raw 2013-03-11 missing
     It is not in the ledger, and no backfill is building it.
`,
  );
});

test('a lookback: only what lacks is shown, three at most, all are counted', async () => {
  const days = [4, 5].map((day) => day);
  const facts = factsOf(await project(), { published: new Map([['clean', rows(...days)]]) });
  const cause = explain(facts, 'week', partition(10));
  assert.match(cause.cause, /It reads 7 partitions of clean, 5 not published\.$/);
  assert.deepEqual(
    cause.inputs.map(({ interval }) => interval.start.slice(0, 10)),
    ['2013-03-06', '2013-03-07', '2013-03-08'],
  );
});

test('what lies before an input’s start is no cause', async () => {
  const start = Date.UTC(2013, 0, 1);
  const facts = factsOf(await project(), { published: new Map([['clean', new Map()]]) });
  const cause = explain(facts, 'week', { start, end: start + DAY_MS });
  assert.match(cause.cause, /It reads clean, which is not published\.$/);
});

test('stale: which input changed; a backfill that is to rebuild it takes the command’s place', async () => {
  const loaded = await project();
  const verdicts = new Map([
    ['clean', [{ start: DAY(1), step: DAY_MS, count: 31, stale: 'inputs' as const, publishedAt: 0 }]],
  ]);
  const changed = [{ reader: 'clean', readerStart: DAY(10), dataset: 'raw', partition: partition(10) }];
  const facts = factsOf(loaded, {
    verdicts,
    changed,
    published: new Map([
      ['clean', rows(9, 10)],
      ['raw', rows(9, 10)],
    ]),
  });
  const cause = explain(facts, 'clean', partition(10));
  assert.equal(cause.state, 'stale');
  assert.match(cause.cause, /Of what it read, raw 2013-03-10 changed since then\.$/);
  assert.equal(cause.next, 'sluice backfill clean --on 2013-03-10 --rebuild stale');
  assert.deepEqual(
    cause.inputs.map(({ dataset, state }) => [dataset, state]),
    [['raw', 'published']],
  );
  const rebuilt = explain({ ...facts, held: [held('clean', 'running')] }, 'clean', partition(10));
  assert.match(rebuilt.cause, /Backfill b2 is to build it again\.$/);
  assert.equal(rebuilt.next, undefined);
  const own = { ...held('clean', 'running'), backfillId: 'b1' };
  assert.equal(explain({ ...facts, held: [own] }, 'clean', partition(10)).cause, cause.cause);
});

test('stale by definition', async () => {
  const verdicts = new Map([
    ['raw', [{ start: DAY(10), step: DAY_MS, count: 1, stale: 'definition' as const, publishedAt: 0 }]],
  ]);
  const cause = explain(
    factsOf(await project(), { verdicts, published: new Map([['raw', rows(10)]]) }),
    'raw',
    partition(10),
  );
  assert.equal(cause.state, 'stale');
  assert.match(cause.cause, /definition aabbccdd\. The definition is [0-9a-f]{8} by now\.$/);
});

test('failed in a running backfill: code and the command to retry; its reader is blocked, further ones too', async () => {
  const failures = [
    {
      start: '2013-03-09T00:00:00Z',
      end: '2013-03-11T00:00:00Z',
      code: 'division_by_zero',
      message: 'division by zero',
      attempts: 3,
    },
  ];
  const facts = factsOf(await project(), {
    published: new Map([
      ['raw', rows(8, 9, 10, 11)],
      ['clean', rows(4, 5, 6, 7, 8)],
    ]),
    held: [held('clean', 'held', { failures, failureCount: 1 }), held('week', 'held')],
  });
  const cause = explain(facts, 'week', partition(10));
  assert.equal(cause.state, 'blocked');
  assert.deepEqual(
    cause.inputs.map(({ interval, state, next }) => [interval.start.slice(8, 10), state, next]),
    [
      ['09', 'failed', 'sluice retry b2 clean'],
      ['10', 'failed', 'sluice retry b2 clean'],
    ],
  );
  const elsewhere = explain({ ...facts, environment: 'prod' }, 'week', partition(10));
  assert.equal(elsewhere.inputs[0]?.next, 'sluice retry b2 clean -e prod');
  assert.match(
    cause.inputs[0]?.cause ?? '',
    /failed in backfill b2 after 3 attempts: division_by_zero: division by zero\. The backfill is held\.$/,
  );
  assert.equal(explain(facts, 'clean', partition(11)).state, 'held');
});

test('in a running backfill: waits for inputs, is at work, has no turn yet, is paused, or nobody answers', async () => {
  const loaded = await project();
  const stateWith = (one: HeldInterval, ...published: readonly number[]): string =>
    explain(factsOf(loaded, { held: [one], published: new Map([['raw', rows(...published)]]) }), 'clean', partition(10))
      .state;
  assert.equal(stateWith(held('clean', 'running', { running: 2 })), 'waiting');
  assert.equal(stateWith(held('clean', 'running', { running: 2 }), 10), 'running');
  assert.equal(stateWith(held('clean', 'running'), 10), 'waiting');
  assert.equal(stateWith(held('clean', 'paused'), 10), 'paused');
  const silent = explain(
    factsOf(loaded, { held: [{ ...held('clean', 'running'), status: undefined }] }),
    'clean',
    partition(10),
  );
  assert.equal(silent.state, 'waiting');
  assert.match(silent.cause, /nobody says how that stands/);
});

test('a failure of a backfill that is over is told; held elsewhere it is not', async () => {
  const kept = { backfillId: 'b0', code: 'timeout', message: 'too slow', failedAt: '2026-03-01T12:00:00Z' };
  const failures = [{ dataset: 'clean', ...partition(10), ...kept }];
  const loaded = await project();
  const facts = factsOf(loaded, { failures, published: new Map([['raw', rows(10, 11)]]) });
  assert.equal(
    explain(facts, 'clean', partition(10)).cause,
    'Backfill b0, which is over, failed here: timeout: too slow.',
  );
  assert.equal(explain(facts, 'clean', partition(11)).state, 'missing');
  assert.equal(
    explain({ ...facts, held: [held('clean', 'running', { running: 1 })] }, 'clean', partition(10)).state,
    'running',
  );
});

test('before the start, and not complete yet', async () => {
  const facts = factsOf(await project(), { now: DAY(10) + 1 });
  assert.match(
    explain(facts, 'raw', { start: Date.UTC(2012, 0, 1), end: Date.UTC(2012, 0, 2) }).cause,
    /^raw starts at 2013-01-01/,
  );
  assert.equal(explain(facts, 'raw', partition(10)).state, 'waiting');
  assert.equal(explain(facts, 'raw', partition(9)).state, 'missing');
});

test('grain: none needs the first partition of what it reads, no more', async () => {
  const loaded = await project();
  const forever = { start: -Infinity, end: Infinity };
  const first = Date.UTC(2013, 0, 1);
  const cause = explain(factsOf(loaded), 'everything', forever);
  assert.deepEqual(
    cause.inputs.map(({ interval }) => interval.start),
    ['2013-01-01T00:00:00Z'],
  );
  assert.equal(cause.next, 'sluice backfill +everything');
  const published = new Map([['clean', new Map([[first, row(1, { start: first, end: first + DAY_MS })]])]]);
  assert.deepEqual(explain(factsOf(loaded, { published }), 'everything', forever).inputs, []);
});

test('what is explained once is not explained again', async () => {
  const facts = factsOf(
    await load(
      projectFiles({
        'datasets/a.sql': transform('SELECT t FROM clean WHERE t >= :start AND t < :end'),
        'datasets/b.sql': transform('SELECT a.t FROM clean JOIN a USING (t) WHERE t >= :start AND t < :end'),
      }),
    ),
  );
  const told = JSON.stringify(explain(facts, 'b', partition(10)));
  assert.equal(told.match(/"dataset":"raw"/g)?.length, 1);
  assert.match(told, /Its causes are shown above\./);
});

test('hulls: all that explaining may ask about, through a lookback and a coarser grain', async () => {
  const { datasets } = await project();
  const now = Date.UTC(2014, 0, 1);
  const week = hullsOf(datasets, 'week', partition(10), now);
  assert.deepEqual(
    [...week].map(([name, { start, end }]) => [name, (start - DAY(10)) / DAY_MS, (end - DAY(10)) / DAY_MS]),
    [
      ['week', 0, 1],
      ['clean', -6, 1],
      ['raw', -6, 1],
    ],
  );
  const march = { start: DAY(1), end: Date.UTC(2013, 3, 1) };
  assert.deepEqual(hullsOf(datasets, 'monthly', march, now).get('raw'), march);
});
