import assert from 'node:assert/strict';
import { test } from 'node:test';
import { warehouseLines } from '../../src/cli/render/warehouse.js';
import type { Standing } from '../../src/cli/warehouse.js';

const reading = (value: number | null, reason: string): Standing['readings'][string] => ({
  value,
  ageMs: 1_000,
  reason,
});

const STANDING: Standing = {
  connection: 'warehouse',
  database: 'd',
  governed: true,
  slots: 0,
  rate: null,
  cause: 'stop',
  reading: 'blocked',
  reason: 'stopped: 2 sessions of others wait for a lock of sluice’s',
  since: '2026-11-28T12:00:00Z',
  order: null,
  next: null,
  // As PostgreSQL keeps them.
  readings: {
    ours: reading(2, '2 of sluice are active'),
    queue: reading(7, 'declared'),
    canary: reading(3.94, 'the canary query took 3.9 ms'),
    blocked: reading(2, '2 sessions wait'),
    foreground: reading(null, 'statistics are switched off'),
  },
  users: [{ backfill: 'b', dataset: 'brief', slots: 2 }],
};

test('what limits comes first, then who works there, what is declared last', () => {
  const screen = { width: 100, height: 24, color: false, now: Date.parse('2026-11-28T12:01:00Z') };
  assert.deepEqual(warehouseLines([STANDING], screen), [
    'connection warehouse  0 slots  stop  for 1m 00s',
    '  stopped: 2 sessions of others wait for a lock of sluice’s',
    '  2 slots: brief of backfill b',
    '  READING       VALUE  AGE  SAYS',
    '  blocked           2   1s  2 sessions wait',
    '  foreground  unknown   1s  statistics are switched off',
    '  ours              2   1s  2 of sluice are active',
    '  canary          3.9   1s  the canary query took 3.9 ms',
    '  queue             7   1s  declared',
  ]);
});
