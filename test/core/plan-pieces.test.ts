import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { formatInstant, type Interval } from '../../src/core/interval/interval.js';
import { contains, intersect, normalize } from '../../src/core/interval/set.js';
import { missingPieces } from '../../src/core/plan/pieces.js';

const at = (text: string): number => Date.parse(`${text}Z`);
const shown = (pieces: readonly Interval[]): string[] =>
  pieces.map(({ start, end }) => `${formatInstant(start)}/${formatInstant(end)}`.replaceAll('T00:00:00Z', ''));

test('whole months of the zone that lack, but for what another piece has of them', () => {
  const utc = { grain: 'month', zone: 'UTC' } as const;
  const wanted = [{ start: at('2024-01-30'), end: at('2024-03-02') }];
  assert.deepEqual(shown(missingPieces(utc, wanted, [])), [
    '2024-01-01/2024-02-01',
    '2024-02-01/2024-03-01',
    '2024-03-01/2024-04-01',
  ]);
  const cover = [
    { start: at('2024-01-15'), end: at('2024-02-01') },
    { start: at('2024-03-10'), end: Infinity },
  ];
  assert.deepEqual(shown(missingPieces(utc, wanted, cover)), ['2024-02-01/2024-03-01', '2024-03-01/2024-03-10']);
  const berlin = { grain: 'year', zone: 'Europe/Berlin' } as const;
  assert.deepEqual(shown(missingPieces(berlin, wanted, [])), ['2023-12-31T23:00:00Z/2024-12-31T23:00:00Z']);
});

test('with what is there they hold all that is wanted; they are disjoint, and overlap nothing that is there', () => {
  const day = fc.integer({ min: 0, max: 900 }).map((n) => at('2023-01-01') + n * 86_400_000);
  const set = fc
    .array(fc.tuple(day, day), { maxLength: 6 })
    .map((pairs) => normalize(pairs.map(([a, b]) => ({ start: Math.min(a, b), end: Math.max(a, b) }))));
  const zone = fc.constantFrom('UTC', 'America/Sao_Paulo', 'Asia/Kathmandu');
  fc.assert(
    fc.property(set, set, fc.constantFrom('month' as const, 'year' as const), zone, (wanted, cover, grain, name) => {
      const pieces = missingPieces({ grain, zone: name }, wanted, cover);
      const all = normalize([...pieces, ...cover]);
      assert.ok(wanted.every((one) => contains(all, one)));
      for (const [i, piece] of pieces.entries()) {
        assert.deepEqual(intersect([piece], cover), []);
        assert.ok(i === 0 || (pieces[i - 1]?.end ?? NaN) <= piece.start);
      }
    }),
  );
});
