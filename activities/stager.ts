import type { ExtractSpec, StoredDataset } from '../src/contracts/plan.js';
import { countRuns } from '../src/core/interval/runs.js';
import { runsOfJson } from '../src/planning/json.js';
import { atSource } from '../src/postgres/error.js';
import { divide, type Chunking } from '../src/source/postgres/chunks.js';
import { estimateRead } from '../src/source/postgres/estimate.js';
import type { Publisher } from '../src/warehouse/postgres/publish.js';
import type { BatchStaging } from './batch.js';
import { requirePrimary } from './alternate.js';
import type { SliceDeps } from './deps.js';
import { intervalOf, sqlOf } from './ordinals.js';
import { openSession, type Session } from './session.js';
import { stageRows } from './stage.js';

interface StagerOf {
  readonly deps: SliceDeps;
  readonly who: Publisher;
  readonly dataset: StoredDataset;
  readonly session: Session;
  readonly batches: readonly (readonly [number, number])[];
  readonly signal: AbortSignal;
}

type Span = readonly [number, number];

/** Tells of each batch of a slice whether its rows are staged, and stages them: all that is read once, and a partition that is large. */
export function createStager(slice: StagerOf): (span: Span) => Promise<BatchStaging | null> {
  const { deps, dataset } = slice;
  const { spec } = dataset;
  if (spec.kind !== 'extract') return () => Promise.resolve(null);
  const partitions = countRuns(runsOfJson(dataset.runs));
  if (spec.scan === 'once') {
    const all: Span = [0, partitions];
    return async ([lo]) => ({ staging: await stage(slice, spec, all, { leased: lo, stagings: 1 }), shared: true });
  }
  if (!spec.table) return () => Promise.resolve(null);
  const rowsIn = async (span: Span): Promise<number> =>
    (await atSource(estimateRead(await slice.session.source(spec.connection), spec, intervalFor(dataset, span)))).rows;
  // Asked once for all of the slice: mostly that is small already.
  const [lows, highs] = [slice.batches.map(([lo]) => lo), slice.batches.map(([, hi]) => hi)];
  let inSlice: Promise<number> | undefined;
  return async (span) => {
    if (span[1] - span[0] > 1) return null;
    inSlice ??= rowsIn([Math.min(...lows), Math.max(...highs)]);
    if ((await inSlice) <= deps.chunkRows || (await rowsIn(span)) <= deps.chunkRows) return null;
    const chunking = await atSource(
      divide(await slice.session.source(spec.connection), spec, intervalFor(dataset, span), deps.chunkRows),
    );
    // What cannot be divided gains nothing from the way through staging.
    if (chunking.ranges.length === 1) return null;
    return {
      staging: await stage(slice, spec, span, { leased: span[0], stagings: partitions, chunking }),
      shared: false,
    };
  };
}

function stage(
  { deps, who, dataset, session, signal }: StagerOf,
  spec: ExtractSpec,
  span: Span,
  { leased, stagings, chunking }: { leased: number; stagings: number; chunking?: Chunking },
): ReturnType<typeof stageRows> {
  const interval = intervalFor(dataset, span);
  const primary = { ...deps, alternates: () => [] };
  requirePrimary(session.alternate());
  return stageRows({
    ...{ deps, who, dataset, spec, span, interval, leased, stagings, session },
    openSession: () => openSession(primary, who, dataset, signal),
    divide: async () =>
      chunking ?? atSource(divide(await session.source(spec.connection), spec, interval, deps.chunkRows)),
  });
}

/** From the first partition's start to the last one's end. */
function intervalFor(dataset: StoredDataset, [lo, hi]: Span): ReturnType<typeof sqlOf> {
  return sqlOf({ start: intervalOf(dataset, lo).start, end: intervalOf(dataset, hi - 1).end });
}
