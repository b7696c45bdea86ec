/** Statuses that the tests of the screens render. */
import { totalsOf } from '../../../src/contracts/parts.js';
import { unheardOf, type BackfillStatus, type DatasetStatus } from '../../../src/contracts/status.js';
import type { Screen } from '../../../src/cli/render/text.js';

export const NOW = Date.parse('2026-03-01T12:05:00Z');

export function screen(width: number, height = 24): Screen {
  return { width, height, color: false, now: NOW };
}

export function dataset(name: string, fields: Partial<DatasetStatus> = {}): DatasetStatus {
  return { ...unheardOf(name, []), total: 365, ...fields };
}

/** A status whose totals are the sums of its datasets. */
export function backfill(datasets: readonly DatasetStatus[], fields: Partial<BackfillStatus> = {}): BackfillStatus {
  return {
    id: '2026-03-01-k3x9',
    project: 'flights',
    environment: 'default',
    state: 'running',
    reason: '',
    startedAt: '2026-03-01T12:02:55Z',
    endedAt: null,
    ...totalsOf(datasets),
    waiting: null,
    warnings: [],
    datasets: [...datasets],
    plan: '3fa9c1d27be0a4c1',
    ...fields,
  };
}

/** The example project in the middle of its backfill, with one partition that failed. */
export function midway(): BackfillStatus {
  return backfill([
    dataset('airlines', { state: 'done', total: 1, done: 1, rows: 16 }),
    dataset('flights_raw', { state: 'running', done: 300, running: 4, rows: 276_806 }),
    dataset('weather_hourly', { state: 'running', total: 8760, done: 4100, running: 2, rows: 12_345 }),
    dataset('flights_clean', {
      state: 'running',
      done: 212,
      failed: 1,
      blocked: 2,
      running: 3,
      rows: 195_001,
      failureCount: 1,
      needs: ['flights_raw'],
      waitingFor: 'flights_raw 2013-10-28',
      failures: [
        {
          start: '2013-03-10T00:00:00Z',
          end: '2013-03-11T00:00:00Z',
          code: 'duplicate_key',
          attempts: 3,
          message: 'duplicate key value violates unique constraint "flights_clean_key"',
        },
      ],
    }),
    dataset('carrier_7d', { blocked: 7, needs: ['flights_clean'] }),
    dataset('delay_causes', { needs: ['flights_clean', 'weather_hourly'], waitingFor: 'weather_hourly 2013-06-20' }),
  ]);
}

/** {@link midway}, all else done, waiting for a person. */
export function held(): BackfillStatus {
  const { datasets } = midway();
  const finished = datasets.map((one) =>
    one.failed > 0 || one.blocked > 0
      ? {
          ...one,
          state: 'held' as const,
          done: one.total - one.failed - one.blocked,
          running: 0,
          waitingFor: 'retry or skip',
        }
      : { ...one, state: 'done' as const, done: one.total, running: 0, waitingFor: 'nothing' },
  );
  const cleaned = finished.map(({ waitingFor, ...one }) => (waitingFor === 'nothing' ? one : { ...one, waitingFor }));
  return backfill(cleaned, {
    state: 'held',
    reason: '1 partition failed, 9 wait for it',
    waiting: { for: 'a person', since: '2026-03-01T12:04:30Z', next: 'sluice retry 2026-03-01-k3x9' },
    warnings: [
      {
        dataset: 'flights_raw',
        code: 'null_event_time',
        rows: 4,
        message: '4 rows have no time_hour and belong to no partition',
      },
    ],
  });
}
