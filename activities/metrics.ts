import type { MetricMeter } from '@temporalio/common';
import type { GovernedSite } from '../src/contracts/warehouse.js';
import type { FaultClass } from '../src/core/fault.js';
import { CAUSES, type Cause } from '../src/core/throttle/types.js';

/** Every label of our metrics but `class`: as many as a project has datasets, whatever runs. */
export interface MetricScope {
  readonly project: string;
  readonly environment: string;
  readonly dataset: string;
}

/** What slices count. A batch is counted after its commit: one that is killed in between is in the ledger, and counted nowhere. */
export interface Metrics {
  readonly published: (scope: MetricScope, batch: { partitions: number; rows: number; seconds: number }) => void;
  readonly failed: (scope: MetricScope, kind: FaultClass) => void;
  readonly waited: (scope: MetricScope, seconds: number) => void;
  readonly alternate: (scope: Omit<MetricScope, 'dataset'>, connection: string) => void;
  readonly outage: (scope: Omit<MetricScope, 'dataset'>, connection: string) => void;
}

/** Buckets of our histograms, by name. A batch aims at half a second; a wait for a turn gives up after 30 s. */
export const BUCKETS: Readonly<Record<string, number[]>> = {
  sluice_batch_seconds: [0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 60, 600],
  sluice_turn_wait_seconds: [0.01, 0.05, 0.1, 0.5, 1, 5, 15, 30],
};

/** Our metrics on the SDK's own meter, so that one endpoint serves both. docs/metrics.md lists them. */
export function createMetrics(meter: MetricMeter): Metrics {
  const partitions = meter.createCounter('sluice_partitions_published', undefined, 'Partitions published');
  const rows = meter.createCounter('sluice_rows_published', undefined, 'Rows published');
  const batches = meter.createCounter('sluice_batches_published', undefined, 'Batches committed');
  const took = meter.createHistogram('sluice_batch_seconds', 'float', undefined, 'Time that a published batch took');
  const failures = meter.createCounter('sluice_batch_failures', undefined, 'Batches that failed, by class of fault');
  const wait = meter.createHistogram(
    'sluice_turn_wait_seconds',
    'float',
    undefined,
    'Time that a batch waited for its turn at the gate',
  );
  const outages = meter.createCounter('sluice_outages', undefined, 'Times that a connection stopped answering');
  const alternates = meter.createCounter(
    'sluice_alternate_reads',
    undefined,
    'Slices that read an alternate of their source',
  );
  return {
    published: (scope, batch) => {
      const tags = tagsOf(scope);
      partitions.add(batch.partitions, tags);
      rows.add(batch.rows, tags);
      batches.add(1, tags);
      took.record(batch.seconds, tags);
    },
    failed: (scope, kind) => {
      failures.add(1, { ...tagsOf(scope), class: kind });
    },
    waited: (scope, seconds) => {
      wait.record(seconds, tagsOf(scope));
    },
    alternate: ({ project, environment }, connection) => {
      alternates.add(1, { project, environment, connection });
    },
    outage: ({ project, environment }, connection) => {
      outages.add(1, { project, environment, connection });
    },
  };
}

/** Whether this worker stands aside. */
export function createAsideGauge(meter: MetricMeter): (scope: Omit<MetricScope, 'dataset'>, aside: boolean) => void {
  const gauge = meter.createGauge(
    'sluice_worker_aside',
    'int',
    undefined,
    '1 while this worker leaves slices to others',
  );
  return ({ project, environment }, aside) => {
    gauge.set(aside ? 1 : 0, { project, environment });
  };
}

/** What a governor shows of the connection that it keeps. */
export interface GovernorGauges {
  /** null: this worker governs it no longer. */
  readonly limit: (site: GovernedSite, verdict: { readonly slots: number; readonly cause: Cause } | null) => void;
}

/** Gauges are of the worker that governs; the others, and one that has handed over, show 0: their sum is what stands. */
export function createGauges(meter: MetricMeter): GovernorGauges {
  const limit = meter.createGauge(
    'sluice_limit_slots',
    'int',
    undefined,
    'Batches at work at once that the governor allows',
  );
  const causes = meter.createGauge(
    'sluice_limit_cause',
    'int',
    undefined,
    'Why: 1 for the cause that holds, 0 for the others',
  );
  return {
    limit: ({ project, environment, connection }, verdict) => {
      const tags = { project, environment, connection };
      limit.set(verdict?.slots ?? 0, tags);
      for (const cause of CAUSES) causes.set(verdict?.cause === cause ? 1 : 0, { ...tags, cause });
    },
  };
}

/** These three and no others: a backfill's id as a label would grow for ever. */
function tagsOf({ project, environment, dataset }: MetricScope): Record<string, string> {
  return { project, environment, dataset };
}
