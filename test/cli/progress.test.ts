import assert from 'node:assert/strict';
import { test } from 'node:test';
import { progressLines } from '../../src/cli/render/progress.js';
import { metered, NO_RATE } from '../../src/cli/render/rate.js';
import type { RateMeter } from '../../src/cli/render/rate.js';
import { backfill, dataset, held, midway, NOW, screen } from './support/statuses.js';
import { shown } from './support/shown.js';

/** 40 s of statuses up to {@link midway}, each dataset that runs getting there at a steady pace. */
function steadily(): RateMeter {
  const end = midway();
  let meter = NO_RATE;
  for (let ago = 40; ago >= 0; ago--) {
    const then = end.datasets.map((one) =>
      one.state === 'running' ? { ...one, done: Math.floor(one.done * (1 - ago / 60)) } : one,
    );
    meter = metered(meter, backfill(then), NOW - ago * 1000);
  }
  return meter;
}

test('a terminal of 24 × 100 tells what runs, what waits for what, how fast, what failed and what to type', () => {
  assert.equal(
    shown(progressLines(midway(), steadily(), screen(100))),
    `
backfill 2026-03-01-k3x9  running  2m 05s  project flights  plan 3fa9c1d2
██████████x▒░░░░░░░░░░░░ 45%  4,613 of 10,221 partitions · 1 failed · 9 blocked
77 partitions/s · 484k rows · about 1m left

DATASET         PROGRESS       PARTITIONS    ROWS   RATE  STATE
airlines        ████████████          1/1      16         done
flights_raw     ██████████░░      300/365    276k  5.0/s  running · 4 batches handed out
weather_hourly  █████░░░░░░░  4,100/8,760  12,345   68/s  running · 2 batches handed out
flights_clean   ██████x▒░░░░      212/365    195k  3.5/s  running · 1 failed · waits for flights_ra…
carrier_7d      ▒░░░░░░░░░░░        0/365       0         waits for flights_clean · 7 blocked
delay_causes    ░░░░░░░░░░░░        0/365       0         waits for weather_hourly 2013-06-20

FAILED 1 partition
flights_clean  2013-03-10  duplicate_key  3 attempts
  duplicate key value violates unique constraint "flights_clean_key"

type   sluice why flights_clean 2013-03-10
       sluice pause 2026-03-01-k3x9
       sluice advise 2026-03-01-k3x9
       Ctrl-C lets go of this display; the backfill goes on · times in UTC
`,
  );
});

test('on 60 columns the least important columns go', () => {
  assert.equal(
    shown(progressLines(midway(), steadily(), screen(60))),
    `
backfill 2026-03-01-k3x9  running  2m 05s  project flights …
████x▒░░░░ 45%  4,613 of 10,221 partitions · 1 failed · 9 b…
77 partitions/s · 484k rows · about 1m left

DATASET          PARTITIONS   RATE  STATE
airlines                1/1         done
flights_raw         300/365  5.0/s  running · 4 batches han…
weather_hourly  4,100/8,760   68/s  running · 2 batches han…
flights_clean       212/365  3.5/s  running · 1 failed · wa…
carrier_7d            0/365         waits for flights_clean…
delay_causes          0/365         waits for weather_hourl…

FAILED 1 partition
flights_clean  2013-03-10  duplicate_key  3 attempts
  duplicate key value violates unique constraint "flights_c…

type   sluice why flights_clean 2013-03-10
       sluice pause 2026-03-01-k3x9
       sluice advise 2026-03-01-k3x9
       Ctrl-C lets go of this display; the backfill goes on
`,
  );
});

test('on 200 columns nothing is cut', () => {
  const lines = progressLines(midway(), steadily(), screen(200));
  assert.ok(!lines.join('\n').includes('…'));
  assert.match(lines.join('\n'), /running · 1 failed · waits for flights_raw 2013-10-28 · 2 blocked · 3 batches/);
});

test('held: what it waits for and the command that helps', () => {
  assert.equal(
    shown(progressLines(held(), NO_RATE, screen(100))),
    `
backfill 2026-03-01-k3x9  held  2m 05s  project flights  plan 3fa9c1d2
██████████████████████x▒ 99%  10,211 of 10,221 partitions · 1 failed · 9 blocked
484k rows
1 partition failed, 9 wait for it

DATASET         PROGRESS       PARTITIONS    ROWS  STATE
airlines        ████████████          1/1      16  done
flights_raw     ████████████      365/365    276k  done
weather_hourly  ████████████  8,760/8,760  12,345  done
flights_clean   ██████████x▒      362/365    195k  held · 1 failed · waits for retry or skip · 2 bl…
carrier_7d      ███████████▒      358/365       0  held · waits for retry or skip · 7 blocked
delay_causes    ████████████      365/365       0  done

FAILED 1 partition
flights_clean  2013-03-10  duplicate_key  3 attempts
  duplicate key value violates unique constraint "flights_clean_key"

! flights_raw null_event_time (4 rows): 4 rows have no time_hour and belong to no partition
waits  for a person since 12:04:30 (30s)
type   sluice retry 2026-03-01-k3x9
       sluice why flights_clean 2013-03-10
       Ctrl-C lets go of this display; the backfill goes on · times in UTC
`,
  );
});

test('more datasets than rows: the failed and the running stay, the others are counted', () => {
  const failure = {
    start: '2013-03-10T05:00:00Z',
    end: '2013-03-10T06:00:00Z',
    code: '22012',
    message: 'division by zero',
    attempts: 5,
  };
  const many = [
    ...Array.from({ length: 30 }, (_, i) => dataset(`source_${i}`, { state: 'done', done: 365 })),
    ...Array.from({ length: 6 }, (_, i) => dataset(`model_${i}`, { state: 'running', done: i })),
    ...Array.from({ length: 40 }, (_, i) => dataset(`mart_${i}`, { needs: ['model_1'] })),
    dataset('last', { state: 'failed', failed: 1, failureCount: 1, failures: [failure] }),
  ];
  const text = shown(progressLines(backfill(many), NO_RATE, screen(100)));
  for (let i = 0; i < 6; i++) assert.match(text, new RegExp(`^model_${i} `, 'm'));
  assert.match(text, /^last .*failed · 1 failed/m);
  assert.match(text, /^and 30 done · \d+ waiting$/m);
  assert.doesNotMatch(text, /^source_/m);
  assert.match(text, /\[2013-03-10 05:00, 2013-03-10 06:00\) {2}22012 {2}5 attempts/);
});

test('more failures than room: as many as fit, the rest counted', () => {
  const failures = Array.from({ length: 20 }, (_, i) => ({
    start: `2013-03-${i + 10}T00:00:00Z`,
    end: `2013-03-${i + 11}T00:00:00Z`,
    code: 'bad_value',
    message: `row ${i}`,
    attempts: 1,
  }));
  const status = backfill([dataset('a', { state: 'held', done: 300, failed: 65, failureCount: 65, failures })]);
  const lines = progressLines(status, NO_RATE, screen(100));
  assert.ok(lines.length <= 24);
  const listed = lines.filter((line) => line.includes('bad_value')).length;
  assert.ok(listed >= 5);
  assert.ok(lines.includes(`and ${65 - listed} failures more`));
});

test('a command too long for its place is replaced by one that prints it, never cut', () => {
  const next = `sluice skip 2026-03-01-k3x9 ${'very_long_name_'.repeat(5)} ${'--from 2013-01-01T00:00:00Z '.repeat(20)}`;
  const status = { ...held(), waiting: { for: 'a person', since: '2026-03-01T12:04:30Z', next } };
  assert.ok(progressLines(status, NO_RATE, screen(100)).includes('type   sluice status 2026-03-01-k3x9'));
});
