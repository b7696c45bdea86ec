import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Failure } from '../../src/contracts/status.js';
import { graphLines } from '../../src/cli/render/graph.js';
import { joinLedger, ledgerLines } from '../../src/cli/render/ledger.js';
import { listLines } from '../../src/cli/render/list.js';
import { planLines } from '../../src/cli/render/plan.js';
import { statusLines } from '../../src/cli/render/status.js';
import { whyLines } from '../../src/cli/render/why.js';
import { GRAPH, LEDGER, PLAN, WHY } from './support/documents.js';
import { shown } from './support/shown.js';
import { backfill, dataset, held, midway, screen } from './support/statuses.js';

test('status: once, with every failure’s whole message', () => {
  assert.equal(
    shown(statusLines(held(), screen(60))),
    `
backfill 2026-03-01-k3x9  held  2m 05s  project flights  pl…
████████x▒ 99%  10,211 of 10,221 partitions · 1 failed · 9 …
484k rows
1 partition failed, 9 wait for it

DATASET          PARTITIONS  STATE
airlines                1/1  done
flights_raw         365/365  done
weather_hourly  8,760/8,760  done
flights_clean       362/365  held · 1 failed · waits for re…
carrier_7d          358/365  held · waits for retry or skip…
delay_causes        365/365  done

FAILED 1 partition
flights_clean  2013-03-10  duplicate_key  3 attempts
  duplicate key value violates unique constraint
  "flights_clean_key"

! flights_raw null_event_time (4 rows): 4 rows have no
time_hour and belong to no partition

waits  for a person since 12:04:30 (30s)
type   sluice retry 2026-03-01-k3x9
       sluice why flights_clean 2013-03-10

times in UTC
`,
  );
});

test('status: what many failures have in common is said once', () => {
  const failure = (hour: string, message: string): Failure => ({
    start: `2024-01-01T${hour}:00:00Z`,
    end: `2024-01-01T${hour}:30:00Z`,
    code: 'bad_value',
    message,
    attempts: 1,
  });
  const failures = [failure('01', 'no number'), failure('03', 'no number'), failure('05', 'no date')];
  const status = backfill([
    dataset('a', { failed: 3, failureCount: 3, failures }),
    dataset('b', { failed: 1, failureCount: 1, failures: [failure('05', 'no date')] }),
  ]);
  const lines = statusLines(status, screen(80));
  const title = lines.indexOf('FAILED 4 partitions');
  assert.equal(
    shown(lines.slice(title, lines.indexOf('', title))),
    `
FAILED 4 partitions
a  [2024-01-01 01:00, 2024-01-01 01:30)  bad_value  1 attempt
a  [2024-01-01 03:00, 2024-01-01 03:30)  bad_value  1 attempt
  no number
a  [2024-01-01 05:00, 2024-01-01 05:30)  bad_value  1 attempt
  no date
b  [2024-01-01 05:00, 2024-01-01 05:30)  bad_value  1 attempt
  no date
`,
  );
});

test('list: a line each, and what to type for those that wait for a person', () => {
  const nightly = backfill([dataset('a', { state: 'done', done: 365, rows: 3_200_000_000 })], {
    id: 'nightly',
    state: 'completed',
    endedAt: '2026-03-01T12:04:00Z',
    asked: { by: 'cron', reason: 'nightly', what: 'the whole project last 3d' },
  });
  const two = backfill([], {
    id: 'two',
    state: 'failed',
    reason: 'backfill nightly holds a 2013-03-10T00:00:00Z',
    refused: 'conflict',
    endedAt: '2026-03-01T12:04:00Z',
  });
  assert.equal(
    shown(listLines([midway(), held(), nightly, two], screen(130))),
    `
ID               STATE      DONE     PARTITIONS  TROUBLE               STARTED           BY    REASON   FOR
2026-03-01-k3x9  running     45%   4,613/10,221  1 failed · 9 blocked  2026-03-01 12:02
2026-03-01-k3x9  held        99%  10,211/10,221  1 failed · 9 blocked  2026-03-01 12:02
nightly          completed  100%        365/365                        2026-03-01 12:02  cron  nightly  the whole project last 3d
two              refused                                               2026-03-01 12:02

two was refused (conflict): backfill nightly holds a 2013-03-10
2026-03-01-k3x9 waits for a person
  sluice retry 2026-03-01-k3x9

times in UTC
`,
  );
  assert.deepEqual(listLines([], screen(100)), ['no backfills']);
});

test('plan: counts, reasons, DDL, what is left stale, warnings, and the command that carries it out', () => {
  assert.equal(
    shown(planLines(PLAN, screen(100))),
    `
plan of flights@prod  725 partitions of 2 datasets to build  fingerprint 3fa9c1d27be0a4c1

DATASET      GRAIN  BUILD  MISSING  STALE  UP TO DATE  FROM        TO (exclusive)  READS
flights_raw  day      365      365      0           0  2013-01-01  2014-01-01
carrier_7d   day      360      355      5           5  2013-01-01  2014-01-01      flights_raw
times in UTC

WHY
  flights_raw  [2013-01-01, 2014-01-01)  missing
  carrier_7d   2013-01-05  reads flights_raw 2013-01-05
  carrier_7d   [2013-01-06, 2014-01-01)  missing

DDL, run before the first batch
  1 table to create; --ddl prints the statements

LEAVES STALE, because not selected
  monthly  [2013-01-01, 2013-02-01)
    sluice backfill monthly --from 2013-01-01 --to 2013-02-01 --rebuild stale -e prod

! flights_raw null_event_time (4 rows): 4 rows have no time_hour

type   sluice backfill +carrier_7d --from 2013-01-01 --to 2014-01-01 --exclude 'tag:big one' \\
         --rebuild stale --plan 3fa9c1d27be0a4c1 -e prod
`,
  );
});

test('plan: DDL that makes is counted, what alters or drops is shown; --ddl prints all', () => {
  const alter = 'ALTER TABLE "a"."t" ADD COLUMN IF NOT EXISTS "n" bigint';
  const [one] = PLAN.datasets;
  assert.ok(one);
  const [create = ''] = one.ddl;
  const ddl = ['CREATE SCHEMA IF NOT EXISTS "a"', create, 'CREATE UNIQUE INDEX ON "a"."t" ("n")', alter];
  const plan = { ...PLAN, datasets: [{ ...one, ddl }, ...PLAN.datasets.slice(1)] };
  const block = (lines: readonly string[]): string => {
    const from = lines.indexOf('DDL, run before the first batch');
    return shown(lines.slice(from, lines.indexOf('', from)));
  };
  assert.equal(
    block(planLines(plan, screen(100))),
    `
DDL, run before the first batch
  1 schema, 1 table, 1 index to create; --ddl prints the statements
  ${alter}
`,
  );
  assert.equal(
    block(planLines(plan, screen(100), true)),
    `
DDL, run before the first batch
  CREATE SCHEMA IF NOT EXISTS "a"
  CREATE TABLE "analytics"."flights_raw" (
    "id" bigint,
    "time_hour" timestamptz
  )
  CREATE UNIQUE INDEX ON "a"."t" ("n")
  ${alter}
`,
  );
});

test('plan: what is stale and not asked for comes first, and what is built outside of the range is said', () => {
  const stale = [{ why: 'definition changed', partitions: 730 }];
  const nothing = PLAN.datasets.map((one) => ({ ...one, build: 0, intervals: [], ddl: [], notAsked: stale }));
  const idle = planLines({ ...PLAN, datasets: nothing, leavesStale: [], warnings: [] }, screen(130));
  assert.match(idle[0] ?? '', /^plan of flights@prod {2}1,460 stale, not asked for: add --rebuild stale {2}/);
  const from = idle.indexOf('STALE, not asked for');
  assert.equal(idle[from + 1], '  flights_raw  730  definition changed');
  const wide = PLAN.datasets.map((one) => ({ ...one, notAsked: stale, outside: { readers: 300, inputs: 6 } }));
  assert.deepEqual(planLines({ ...PLAN, datasets: wide }, screen(130)).slice(1, 4), [
    '600 of them outside of the range, because they read what is built (--only leaves them as they are)',
    '12 of them outside of the range, because it reads them and they are not there',
    '1,460 stale, not asked for: add --rebuild stale',
  ]);
});

test('a thousand datasets: those that want a person first, how many more there are, and no flood', () => {
  const names = Array.from({ length: 1_000 }, (_, i) => `d${String(i).padStart(4, '0')}`);
  const failure = { start: '2024-01-01T00:00:00Z', end: '2024-01-02T00:00:00Z', code: 'c', message: 'm', attempts: 1 };
  const datasets = names.map((name, i) =>
    i === 777
      ? dataset(name, { state: 'failed', failed: 1, failureCount: 1, failures: [failure] })
      : dataset(name, { state: i < 600 ? 'done' : i < 604 ? 'running' : 'waiting' }),
  );
  const warnings = names.map((name) => ({ dataset: name, code: 'missing_index', message: 'none' }));
  const status = statusLines(backfill(datasets, { warnings }), screen(100));
  assert.ok(status.length <= 40, `${status.length} lines`);
  for (const shown of [/^d0777 .*1 failed/, /^d0603 .*running/, /600 done · \d+ waiting/, /and 990 warnings more/])
    assert.ok(
      status.some((line) => shown.test(line)),
      String(shown),
    );
  const [one] = PLAN.datasets;
  assert.ok(one);
  const stale = names.map((name) => ({ dataset: name, intervals: [], command: `sluice backfill ${name}` }));
  const plan = planLines(
    {
      ...PLAN,
      warnings,
      leavesStale: stale,
      datasets: names.map((name, i) => ({ ...one, name, build: i < 500 ? 0 : 2 })),
    },
    screen(100),
  );
  assert.ok(plan.length <= 75, `${plan.length} lines`);
  for (const shown of [/^d0500 /, /and 490 datasets more/, /and 995 datasets more/, /and 997 datasets/])
    assert.ok(
      plan.some((line) => shown.test(line)),
      String(shown),
    );
  assert.match(plan.at(-2) ?? '', /^type {3}sluice backfill/);
});

test('plan: with nothing to build it says what the planner says to type', () => {
  const datasets = PLAN.datasets.map((one) => ({ ...one, build: 0, intervals: [], ddl: [] }));
  const lines = planLines(
    { ...PLAN, datasets, leavesStale: [], warnings: [], next: 'sluice plan --rebuild stale' },
    screen(100),
  );
  assert.match(lines[0] ?? '', /nothing to build/);
  assert.equal(lines.at(-1), 'type   sluice plan --rebuild stale');
});

test('graph: each dataset once, under the deepest of what it reads, with mappings', () => {
  assert.equal(
    shown(graphLines(GRAPH, screen(100))),
    `
airlines (none) extract
flights_raw (day) extract @data
└─ flights_clean (day) ← airlines (none), flights_raw (day)
   ├─ carrier_7d (day) ← flights_clean (day, lookback 6d)
   │  └─ running_total (day, America/New_York) ← carrier_7d (day), itself (previous partition)
   │        ← flights_clean (day, all before its end)
   └─ monthly (month) ← flights_clean (day)

Where no zone is named it is UTC.
`,
  );
});

test('ledger: adjacent partitions of one origin are one range, a gap is marked', () => {
  assert.equal(
    shown(ledgerLines('flights_raw', LEDGER, screen(100))),
    `
FROM        TO (exclusive)  PARTITIONS   ROWS  BACKFILL         VERSION   PUBLISHED
2013-01-01  2013-01-03               2  1,803  first            aabbccdd  2026-03-01 12:02
2013-01-03  2013-01-04               1    903  2026-03-01-k3x9  aabbccdd  2026-03-01 12:03
2013-01-04  2013-01-05             gap
2013-01-05  2013-01-07               2  1,811  2026-03-01-k3x9  aabbccdd  2026-03-01 12:06

flights_raw: 5 partitions, 4,517 rows · times in UTC
`,
  );
});

test('ledger: a range has the sums and the latest publication; joining twice changes nothing', () => {
  const ranges = joinLedger([...LEDGER.slice(0, 1), { ...LEDGER[1]!, publishedAt: '2020-01-01T00:00:00Z' }]);
  assert.deepEqual(ranges, [
    { ...LEDGER[0], end: '2013-01-03T00:00:00Z', partitions: 2, rows: 1803, publishedAt: '2026-03-01T12:01:30Z' },
  ]);
  assert.deepEqual(joinLedger(ranges), ranges);
});

test('why: causes under what they cause, each with the command that helps', () => {
  assert.equal(
    shown(whyLines(WHY, screen(60))),
    `
carrier_7d 2013-03-12 blocked
│ It reads 7 partitions of flights_clean; one of them
│ failed.
├─ flights_clean 2013-03-10 failed
│  │ duplicate_key after 3 attempts: duplicate key value
│  │ violates unique constraint "flights_clean_key".
│  │ type sluice retry 2026-03-01-k3x9 flights_clean
│  └─ flights_raw 2013-03-10 published
│       Published by 2026-03-01-k3x9.
└─ airlines all of it published
     Published by 2026-03-01-k3x9.
`,
  );
});
