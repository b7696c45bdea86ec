/** Documents, other than statuses, that the tests of the screens render. */
import type { PlanDocument } from '../../../src/contracts/plan.js';
import type { GraphNode } from '../../../src/cli/render/graph.js';
import type { LedgerRow } from '../../../src/cli/render/ledger.js';
import type { WhyNode } from '../../../src/cli/render/why.js';

const YEAR = { from: '2013-01-01T00:00:00Z', to: '2014-01-01T00:00:00Z' };

export const PLAN: PlanDocument = {
  project: 'flights',
  environment: 'prod',
  request: {
    from: '2013-01-01',
    to: '2014-01-01',
    select: ['+carrier_7d'],
    exclude: ['tag:big one'],
    rebuild: 'stale',
  },
  fingerprint: '3fa9c1d27be0a4c1',
  definition: 'aa00',
  datasets: [
    {
      name: 'flights_raw',
      kind: 'extract',
      grain: 'day',
      needs: [],
      ...YEAR,
      build: 365,
      missing: 365,
      stale: 0,
      upToDate: 0,
      intervals: [{ start: YEAR.from, end: YEAR.to, why: 'missing' }],
      ddl: ['CREATE TABLE "analytics"."flights_raw" (\n  "id" bigint,\n  "time_hour" timestamptz\n)'],
    },
    {
      name: 'carrier_7d',
      kind: 'transform',
      grain: 'day',
      needs: ['flights_raw'],
      ...YEAR,
      build: 360,
      missing: 355,
      stale: 5,
      upToDate: 5,
      intervals: [
        { start: '2013-01-05T00:00:00Z', end: '2013-01-06T00:00:00Z', why: 'reads flights_raw 2013-01-05' },
        { start: '2013-01-06T00:00:00Z', end: '2014-01-01T00:00:00Z', why: 'missing' },
      ],
      ddl: [],
    },
  ],
  leavesStale: [
    {
      dataset: 'monthly',
      intervals: [{ start: '2013-01-01T00:00:00Z', end: '2013-02-01T00:00:00Z' }],
      command: 'sluice backfill monthly --from 2013-01-01T00:00:00Z --to 2013-02-01T00:00:00Z --rebuild stale -e prod',
    },
  ],
  warnings: [{ dataset: 'flights_raw', code: 'null_event_time', rows: 4, message: '4 rows have no time_hour' }],
};

const NEW_YORK = 'America/New_York';

export const GRAPH: readonly GraphNode[] = [
  { name: 'airlines', kind: 'extract', grain: 'none', zone: 'UTC', needs: [] },
  { name: 'flights_raw', kind: 'extract', grain: 'day', zone: 'UTC', needs: [], owner: 'data' },
  {
    name: 'flights_clean',
    kind: 'transform',
    grain: 'day',
    zone: 'UTC',
    needs: [
      { dataset: 'airlines', mapping: '' },
      { dataset: 'flights_raw', mapping: '' },
    ],
  },
  {
    name: 'carrier_7d',
    kind: 'transform',
    grain: 'day',
    zone: 'UTC',
    needs: [{ dataset: 'flights_clean', mapping: 'lookback 6d' }],
  },
  {
    name: 'running_total',
    kind: 'transform',
    grain: 'day',
    zone: NEW_YORK,
    needs: [
      { dataset: 'carrier_7d', mapping: '' },
      { dataset: 'running_total', mapping: 'previous partition' },
      { dataset: 'flights_clean', mapping: 'all before its end' },
    ],
  },
  {
    name: 'monthly',
    kind: 'transform',
    grain: 'month',
    zone: 'UTC',
    needs: [{ dataset: 'flights_clean', mapping: '' }],
  },
];

/** Days of January 2013, the 4th missing; the first two by an older backfill. */
export const LEDGER: readonly LedgerRow[] = [1, 2, 3, 5, 6].map((day) => ({
  start: `2013-01-0${day}T00:00:00Z`,
  end: `2013-01-0${day + 1}T00:00:00Z`,
  partitions: 1,
  rows: 900 + day,
  backfill: day < 3 ? 'first' : '2026-03-01-k3x9',
  version: 'aabbccddeeff0011',
  publishedAt: `2026-03-01T12:0${day}:30Z`,
}));

const PUBLISHED: WhyNode = {
  dataset: 'flights_raw',
  interval: { start: '2013-03-10T00:00:00Z', end: '2013-03-11T00:00:00Z' },
  state: 'published',
  cause: 'Published by 2026-03-01-k3x9.',
  inputs: [],
};

export const WHY: WhyNode = {
  dataset: 'carrier_7d',
  interval: { start: '2013-03-12T00:00:00Z', end: '2013-03-13T00:00:00Z' },
  state: 'blocked',
  cause: 'It reads 7 partitions of flights_clean; one of them failed.',
  inputs: [
    {
      ...PUBLISHED,
      dataset: 'flights_clean',
      state: 'failed',
      cause: 'duplicate_key after 3 attempts: duplicate key value violates unique constraint "flights_clean_key".',
      next: 'sluice retry 2026-03-01-k3x9 flights_clean',
      inputs: [PUBLISHED],
    },
    { ...PUBLISHED, dataset: 'airlines', interval: { start: '-infinity', end: 'infinity' } },
  ],
};
