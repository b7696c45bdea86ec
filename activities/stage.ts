import { sleep } from '@temporalio/activity';
import { allEnded } from '../src/contracts/all-ended.js';
import type { ExtractSpec, StoredDataset } from '../src/contracts/plan.js';
import { readerCount } from '../src/core/slice/chunks.js';
import { copyAcross } from '../src/postgres/copy.js';
import { atSource } from '../src/postgres/error.js';
import {
  isUnchanged,
  joinSnapshot,
  rangeSql,
  shareSnapshot,
  type Chunking,
  type SharedSnapshot,
} from '../src/source/postgres/chunks.js';
import { copyOutSql, type SqlInterval } from '../src/source/postgres/extract.js';
import { readLimit } from '../src/store/control.js';
import {
  commitChunk,
  completeStaging,
  findStaging,
  openChunk,
  openStaging,
  StagingLostError,
  tryToFill,
  type Chunk,
  type Staging,
} from '../src/warehouse/postgres/chunks.js';
import { giveTurn } from '../src/warehouse/postgres/gate.js';
import type { Publisher } from '../src/warehouse/postgres/publish.js';
import { copyInSql, RowsLostError } from './batch.js';
import { requirePrimary } from './alternate.js';
import type { SliceDeps } from './deps.js';
import type { Session } from './session.js';
import { takeTurn, YieldError } from './turn.js';

/** What is read into one staging, in chunks. */
export interface StageJob {
  readonly deps: SliceDeps;
  readonly who: Publisher;
  readonly dataset: StoredDataset;
  readonly spec: ExtractSpec;
  /** Ordinals that it is for, and what they span. */
  readonly span: readonly [number, number];
  readonly interval: SqlInterval;
  /** First ordinal of the batch in whose name it is read: its lease is what must be held. */
  readonly leased: number;
  /** How many stagings of the dataset may be filled at once. */
  readonly stagings: number;
  readonly session: Session;
  readonly openSession: () => Session;
  readonly divide: () => Promise<Chunking>;
}

/** As long as at the gate: then the activity is given back, for others. */
const WAIT_MS = 30_000;
const ASK_AGAIN_MS = 100;

/** Reads what is not staged yet, and answers with the whole. Any number of slices may ask: one fills it, the others wait. */
export async function stageRows(job: StageJob): Promise<Staging> {
  const { who, dataset, span, leased, session } = job;
  const find = async (): Promise<Staging | null> => findStaging(await session.warehouse(), who, dataset.name, span[0]);
  const found = await find();
  if (found?.complete) return found;
  const leader = job.openSession();
  try {
    const until = performance.now() + WAIT_MS;
    while (!(await tryToFill(await leader.warehouse(), who, dataset.name, span[0]))) {
      if (performance.now() > until) throw new YieldError('full', null);
      await sleep(ASK_AGAIN_MS);
    }
    if (!(await find())) await openStaging(await session.warehouse(), who, dataset, span, leased, await job.divide());
    const staging = await find();
    if (!staging) throw new StagingLostError('the staging is gone');
    if (staging.complete) return staging;
    await fill(job, leader, staging);
    await completeStaging(await session.warehouse(), who, dataset.name, leased, staging);
    return { ...staging, complete: true };
  } catch (error) {
    leader.abandon();
    throw error;
  } finally {
    await leader.close();
  }
}

/** Readers share the chunks that are left, and a snapshot of the source, which the leader keeps open until all have joined it. */
interface Reading {
  readonly snapshot: SharedSnapshot;
  readonly staging: Staging;
  readonly left: Chunk[];
  active: number;
  failed: boolean;
}

async function fill(job: StageJob, leader: Session, staging: Staging): Promise<void> {
  const { deps, who, spec, stagings } = job;
  const source = await leader.source(spec.connection);
  const snapshot = await atSource(shareSnapshot(source));
  const limits = [await readLimit(deps.db, who, deps.warehouse), await readLimit(deps.db, who, spec.connection)];
  const slots = Math.min(...limits.map((limit) => limit.slots ?? Infinity));
  const count = readerCount(slots, stagings, staging.chunks.length);
  const reading: Reading = { snapshot, staging, left: [...staging.chunks], active: count, failed: false };
  const readers = Array.from({ length: count }, (_, i) =>
    readAs(job, i === 0 ? job.session : job.openSession(), reading),
  );
  await allEnded(readers);
  await atSource(source.query('COMMIT'));
}

/** One reader: a connection on either side, and a turn of its own for each chunk. */
async function readAs(job: StageJob, session: Session, reading: Reading): Promise<void> {
  const { deps, who, dataset, spec } = job;
  try {
    const source = await session.source(spec.connection);
    requirePrimary(session.alternate());
    await atSource(joinSnapshot(source, reading.snapshot));
    while (reading.left.length > 0 && !reading.failed) {
      const turn = await takeTurn(deps, who, dataset, session, true);
      if (turn.kind === 'full' && reading.active > 1) break;
      if (turn.kind !== 'go') throw new YieldError(turn.kind, turn.why, turn.restMs);
      const chunk = reading.left.shift();
      if (chunk) await readChunk(job, session, reading, chunk);
    }
    await atSource(source.query('COMMIT'));
    await giveTurn(await session.warehouse());
    await giveTurn(source);
  } catch (error) {
    reading.failed = true;
    session.abandon();
    throw error;
  } finally {
    reading.active--;
    if (session !== job.session) await session.close();
  }
}

/** A chunk of an earlier attempt, of another snapshot, stays where this one shows the same rows. */
async function readChunk(job: StageJob, session: Session, reading: Reading, chunk: Chunk): Promise<void> {
  const { who, dataset, spec, interval, leased, span } = job;
  const { staging, snapshot } = reading;
  const source = await session.source(spec.connection);
  const { n, rows, xmin } = chunk;
  if (rows !== null && xmin !== null) {
    if (await atSource(isUnchanged(source, spec, interval, staging.axis, { ...chunk, rows, xmin }, snapshot))) return;
  }
  const warehouse = await session.warehouse();
  const table = await openChunk(warehouse, who, dataset.name, leased, staging, n);
  const { left, arrived, digest } = await copyAcross(
    { client: source, sql: copyOutSql(spec, interval, rangeSql(spec, staging.axis, chunk)) },
    { client: warehouse, sql: copyInSql(dataset, spec, table, true) },
  );
  if (left !== arrived) throw new RowsLostError(`${left} rows left the source, ${arrived} arrived`);
  // Where many partitions are published from it, each looks for its rows.
  const indexed = span[1] - span[0] > 1 ? (dataset.time?.column ?? null) : null;
  await commitChunk(warehouse, staging, table, { n, rows: arrived, digest, xmin: snapshot.xmin }, indexed);
}
