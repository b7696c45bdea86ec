import { join } from 'node:path';
import { BackfillClient } from '../../src/client/index.js';
import type { BackfillInput } from '../../src/contracts/request.js';
import type { BackfillStatus } from '../../src/contracts/status.js';
import { ENDED } from '../../src/contracts/status.js';
import { eventually } from '../support/eventually.js';
import type { Callee } from './calls.js';
import { FAULTS, type FaultName, type Planned, type Scene } from './faults.js';
import { audit, outcomeOf, publishedBy, type Outcome } from './oracle.js';
import { makeSource, mendWords, PARTS, projectFiles, rangeOf, setSource, type Part } from './project.js';
import type { Lane } from './servers.js';
import { sightings, type Sightings } from './sightings.js';
import { withTemporal } from './temporal.js';
import { watchStandstill } from './standstill.js';
import { startWorkers, type Workers } from './workers.js';

/** What came of one build. */
export interface Ran {
  readonly outcome: Outcome;
  readonly seen: Sightings;
  /** Faults that came before it was over. */
  readonly happened: readonly FaultName[];
  readonly published: number;
  readonly seconds: number;
  /** What the workers logged, to look at where it differs. */
  readonly said: string;
}

/** A fault may come when a server is down from the one before: it is tried again for this long. */
const FAULT_MS = 150_000;
const ENDS_MS = 300_000;
const RETRIES_MAX = 10;
/** Each look costs a query of the workflow. */
const LOOK_EVERY_MS = 400;

export interface Faulty {
  readonly faults?: readonly Planned[];
  /** Choices that are left to the faults themselves. */
  readonly next?: () => number;
  /** How long it may take to end. */
  readonly withinMs?: number;
}

/** One project on one lane, which is built again and again: each build finds another source, and is a run. */
export interface Track {
  /** What the next build is. */
  readonly build: () => number;
  /** Builds once more while the faults happen, to its end, and says what is there then. */
  readonly run: (how?: Faulty) => Promise<Ran>;
  readonly stop: () => Promise<void>;
}

/** What a track is of. */
export interface TrackOf {
  /** Of the project: never used before on these servers. */
  readonly name: string;
  /** What of it is built. */
  readonly part?: Part;
  /** The build that the workers are of. */
  readonly dist?: string;
}

export async function openTrack(lane: Lane, callee: Callee, { name, part = 'all', dist }: TrackOf): Promise<Track> {
  lane.stack.project(name, projectFiles(name));
  await lane.quietly(() => lane.on('ops', (ops) => makeSource(ops, name)));
  const workers = await startWorkers(lane, join(lane.stack.dir, name), dist);
  const client = await BackfillClient.connect({ address: lane.stack.dev.info().temporalAddress, project: name });
  await lane.quietly(() => lane.on('warehouse', audit));
  let build = 0;
  return {
    build: () => build,
    run: (how = {}) => carryOut({ lane, callee, name, select: PARTS[part], workers, client, build: build++, ...how }),
    stop: async () => {
      lane.proxy.heal();
      lane.disk?.free();
      await client.close();
      await workers.stop();
    },
  };
}

interface Course extends Faulty {
  readonly lane: Lane;
  readonly callee: Callee;
  readonly name: string;
  readonly select: readonly string[];
  readonly workers: Workers;
  readonly client: BackfillClient;
  readonly build: number;
}

async function carryOut(course: Course): Promise<Ran> {
  const {
    lane,
    callee,
    name,
    select,
    workers,
    client,
    build,
    faults = [],
    next = () => 0,
    withinMs = ENDS_MS,
  } = course;
  const began = Date.now();
  const from = workers.said().length;
  const said = (): string => workers.said().slice(from);
  const id = `${name}_${build}`;
  try {
    await lane.quietly(async () => {
      await lane.on('ops', (ops) => setSource(ops, name, build));
      await startBuild(course, id);
    });
    const progress = (): Promise<number> =>
      lane.on('warehouse', (warehouse) => publishedBy(warehouse, name, id)).catch(() => -1);
    const ending = toItsEnd(course, id, withinMs);
    const scene = { lane, workers, project: name, workflowId: client.workflowId(id), isOver: ending.isOver };
    const standing = watchStandstill({ ...scene, progress }, (text) => void process.stderr.write(`${text}\n`));
    const [, happened] = await Promise.all([ending.done, happen(scene, faults, next, progress), standing]);
    lane.proxy.heal();
    await workers.endLeft();
    const outcome = await lane.quietly(async () => ({
      ...(await outcomeOf(lane, client, { project: name, id, select })),
      calls: callee.keysOf(id),
      'failed workflow tasks': failedTasks(said()),
    }));
    const seen = await lane.quietly(() =>
      sightings(lane, client, { project: name, id, said: said(), holds: ending.holds() }),
    );
    const seconds = (Date.now() - began) / 1000;
    return { outcome, seen, happened, published: await progress(), seconds, said: said() };
  } catch (error) {
    throw new Error(`${name}: ${String(error)}\n${said().split('\n').slice(-30).join('\n')}`, { cause: error });
  } finally {
    lane.proxy.heal();
  }
}

/**
 * As any client of Temporal may start it. A workflow task that a killed worker had begun is given to another after 10 s, not after the minute
 * that a backfill of a thousand datasets may need: otherwise a campaign would wait most of its time.
 */
async function startBuild({ lane, client, name: project, select, build }: Course, id: string): Promise<void> {
  await withTemporal(lane, ({ workflow }) =>
    workflow.start('backfill', {
      workflowId: client.workflowId(id),
      taskQueue: 'sluice',
      args: [{ project, select: [...select], ...rangeOf(build), rebuild: 'all' } satisfies BackfillInput],
      workflowTaskTimeout: '10s',
    }),
  );
}

async function happen(
  scene: Scene,
  faults: readonly Planned[],
  next: () => number,
  progress: () => Promise<number>,
): Promise<FaultName[]> {
  const { isOver } = scene;
  const under: Promise<void>[] = [];
  const happened: FaultName[] = [];
  for (const { fault, after } of faults) {
    const isThere = async (): Promise<boolean> => isOver() || (await progress()) >= after;
    await eventually(`${after} partitions, for: ${fault}`, isThere, ENDS_MS, LOOK_EVERY_MS);
    if (isOver()) break;
    happened.push(fault);
    const tried = (): Promise<boolean> =>
      FAULTS[fault](scene, next).then(
        () => true,
        () => false,
      );
    // A server that is restarted is waited for: two restarts at once would be one.
    const doing = eventually(fault, tried, FAULT_MS, LOOK_EVERY_MS).then(() => undefined);
    // Looked at when all have come: until then it is nobody's.
    doing.catch(() => undefined);
    under.push(doing);
    if (/PostgreSQL|Temporal$/.test(fault)) await doing;
  }
  await Promise.all(under);
  return happened;
}

/** A workflow's code is at fault, whatever else happens; workers take one another's workflows, so it need not be of this very run. */
function failedTasks(said: string): string {
  const lines = said.split('\n').filter((line) => /nondetermin|TMPRL1100|Failing workflow task/i.test(line));
  return lines.slice(0, 3).join('\n');
}

/** What Temporal refuses says why in its cause only. */
function withCause(error: unknown): string {
  return error instanceof Error && error.cause instanceof Error
    ? `${String(error)}: ${error.cause.message}`
    : String(error);
}

/** Waits for the end. A person mends what is wrong with the data when the backfill is held, and tries again. */
function toItsEnd(
  { lane, client, name }: Course,
  id: string,
  withinMs: number,
): { done: Promise<void>; isOver: () => boolean; holds: () => number } {
  let [holds, over] = [0, false];
  const look = async (): Promise<BackfillStatus | false> => {
    const status = await client.status(id).catch(() => undefined);
    if (status === undefined) return false;
    if (status.state === 'held') {
      if (holds > RETRIES_MAX) return status;
      await lane.on('ops', (ops) => mendWords(ops, name));
      await client.retry(id);
      holds++;
      return false;
    }
    return ENDED.includes(status.state) && status;
  };
  let last = '';
  const done = eventually(
    'the backfill ends',
    () => look().catch((error: unknown) => ((last = String(error)), false as const)),
    withinMs,
    LOOK_EVERY_MS,
  )
    .then(async ({ state, reason }) => {
      if (state !== 'completed') throw new Error(`it ended ${state}: ${reason}`);
      // It says so before it gives its reservation back.
      await eventually(
        'its workflow ends',
        () => client.result(id).catch(() => false as const),
        ENDS_MS,
        LOOK_EVERY_MS,
      );
    })
    .catch(async (error: unknown) => {
      const status = await client.status(id).catch(withCause);
      throw new Error(`${String(error)} ${last} ${JSON.stringify(status)}`, { cause: error });
    })
    .finally(() => {
      over = true;
    });
  return { done, isOver: () => over, holds: () => holds };
}
