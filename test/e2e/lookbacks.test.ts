import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type pg from 'pg';
import { addDuration } from '../../src/core/time/duration.js';
import { segmentAt } from '../../src/core/time/zone.js';
import { readFrom } from '../../src/store/stale.js';
import { startStack, type Stack } from '../support/stack.js';

let stack: Stack;
let warehouse: pg.Client;

before(async () => {
  stack = await startStack();
  warehouse = await stack.connect('lookbacks');
});
after(() => stack.stop());

const [MINUTE, HOUR, DAY] = [60_000, 3_600_000, 86_400_000];
/** Zones that went back by half an hour, by two hours, by odd minutes and seconds, by a day; and those that skipped one. */
const ODD = [
  'Australia/Lord_Howe',
  'Antarctica/Troll',
  'America/Juneau',
  'Asia/Manila',
  'Pacific/Apia',
  'Pacific/Kwajalein',
  'America/St_Johns',
  'America/Havana',
  'Africa/Monrovia',
  'Europe/Amsterdam',
  'Europe/Dublin',
  'Asia/Kathmandu',
];
const LENGTHS = [
  { months: 0, days: 1, ms: 0 },
  { months: 0, days: 7, ms: 5 * MINUTE },
  { months: 1, days: 0, ms: 0 },
  { months: 13, days: 2, ms: HOUR },
] as const;

/** Where the offset of a zone changes, and by how much. */
function* shiftsOf(zone: string, from: number, to: number): Generator<{ at: number; by: number }> {
  for (let segment = segmentAt(zone, from); segment.end < to;) {
    const next = segmentAt(zone, segment.end);
    if (next.offset !== segment.offset) yield { at: segment.end, by: next.offset - segment.offset };
    segment = next;
  }
}

test('a calendar lookback begins in the ledger’s query where it begins in a plan, whatever the clocks did', async () => {
  const zones = [...new Set([...ODD, ...Intl.supportedValuesOf('timeZone')])];
  const { rows } = await warehouse.query<{ name: string }>('SELECT name FROM pg_timezone_names');
  const known = new Set(rows.map(({ name }) => name));
  let [compared, back, apart] = [0, 0, 0];
  const wrong: string[] = [];
  for (const zone of zones.filter((name) => known.has(name))) {
    const odd = ODD.includes(zone);
    const shifts = [...shiftsOf(zone, Date.UTC(odd ? 1840 : 2000, 0), Date.UTC(odd ? 2036 : 2012, 0))];
    for (const length of LENGTHS) {
      // A border that looks back to just before, into and just behind what clocks show twice or never.
      const starts = shifts.flatMap(({ at, by }) =>
        [-DAY, -Math.abs(by), -Math.abs(by) / 2, -1000, 0, 1000, Math.abs(by) / 2, Math.abs(by), DAY].map((more) =>
          Math.round(addDuration(at + more, length, zone, 1)),
        ),
      );
      const expected = starts.map((start) => addDuration(start, length, zone, -1));
      const { sql, bindings } = readFrom({ name: 'reader', zone }, { dataset: 'other', lookback: length });
      let n = 1;
      const text = sql.replaceAll('?', () => `$${++n}`);
      // The two databases of zones differ here and there; where both give one offset at all that matters, they are compared.
      const offset = (at: string): string =>
        `extract(epoch FROM (${at} AT TIME ZONE '${zone}') - (${at} AT TIME ZONE 'UTC'))::float8 * 1000`;
      const answer = await warehouse.query<{ lo: number; there: number; before: number; after: number }>(
        `SELECT extract(epoch FROM lo)::float8 * 1000 AS lo, ${offset('starts_at')} AS there,
           ${offset(`(lo - interval '26 hours')`)} AS before, ${offset(`(lo + interval '26 hours')`)} AS after
         FROM (SELECT p.starts_at, p.n, ${text} AS lo
           FROM (SELECT to_timestamp(ms / 1000) AS starts_at, n FROM unnest($1::float8[]) WITH ORDINALITY AS u(ms, n)) AS p) AS x ORDER BY n`,
        [starts, ...bindings],
      );
      answer.rows.forEach(({ lo, there, before, after }, i) => {
        const [start = 0, right = 0] = [starts[i], expected[i]];
        const agree =
          segmentAt(zone, start).offset === there &&
          segmentAt(zone, right - 26 * HOUR).offset === before &&
          segmentAt(zone, right + 26 * HOUR).offset === after;
        if (Math.round(lo) === Math.round(right)) {
          compared++;
          if (before > after) back++;
        } else if (agree) wrong.push(`${zone} ${new Date(start).toISOString()}: ${(lo - right) / 1000} s off`);
        else apart++;
      });
    }
  }
  assert.deepEqual(wrong.slice(0, 20), []);
  assert.ok(compared > 20_000 && back > 5_000, `only ${compared} compared, ${back} of them where clocks went back`);
  assert.ok(apart < compared / 20, `${apart} of ${compared} could not be compared`);
});
