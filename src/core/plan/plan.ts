import { ask, countsOf } from './asked.js';
import { notAskedOf, outsideOf } from './beside.js';
import { intervalsAt, runsAt } from './borders.js';
import { builtOf, edgesOf } from './edges.js';
import type { Built } from './edges.js';
import { grow } from './grow.js';
import type { Uncovered } from './grow.js';
import { leavesStale } from './leaves.js';
import { leftOutNotices } from './left-out.js';
import { markObstacles } from './obstacles.js';
import { readsTime, windowOf } from './reading.js';
import { at } from './search.js';
import { reread } from './reread.js';
import { tracksOf } from './track.js';
import type { Track } from './track.js';
import type { PlanInput, PlannedDataset, PlanNotice, PlanResult } from './types.js';
import { intervalsOf } from './why.js';

/**
 * What to build, and why, for a request over a project: CONTRACT §3, "What a plan holds".
 *
 * Every dataset becomes a {@link Track}: its partitions by number, with what the ledger says of each. First whatever can't
 * be built is marked; then the plan grows from what is asked, up and down the graph, until nothing is added. Time and memory
 * go with partitions × edges.
 */
export function planBackfill(input: PlanInput): PlanResult {
  const steps = planSteps(input);
  for (;;) {
    const { done, value } = steps.next();
    if (done === true) return value;
  }
}

/**
 * {@link planBackfill} with a pause after each piece of the work, a dataset at most: 4.4 million partitions take seconds, in which a worker's other
 * work, and whoever asks it for a status, would wait.
 */
export function* planSteps(input: PlanInput): Generator<undefined, PlanResult, undefined> {
  const unread = new Set<string>();
  for (;;) {
    const draft = yield* draftOf(input, unread);
    const readers = draft.tracks.filter((track) => track.build.length > 0 && track.timeless && readsTime(track));
    const idle = readers.filter((track) => windowOf(track) === undefined);
    if (idle.length === 0) return yield* resultOf(draft, input);
    // A `grain: none` transform would be built from nothing. Without it, so are those that read it: plan again.
    for (const { node } of idle) unread.add(node.name);
  }
}

interface Draft {
  readonly tracks: readonly Track[];
  readonly notices: readonly PlanNotice[];
  readonly uncovered: readonly Uncovered[];
}

function* draftOf(input: PlanInput, unread: ReadonlySet<string>): Generator<undefined, Draft, undefined> {
  const tracks = tracksOf(input);
  yield;
  markObstacles(tracks, input, unread);
  yield;
  const notices = tracks.filter(({ selected }) => selected).flatMap((track) => ask(track, input.range));
  if (input.reread) reread(tracks, input.reread);
  return { tracks, notices, uncovered: yield* grow(tracks, input.rebuild) };
}

function* resultOf(
  { tracks, notices, uncovered }: Draft,
  input: PlanInput,
): Generator<undefined, PlanResult, undefined> {
  const known = new Map<Track, Built>();
  const built = (track: Track): Built => {
    const found = known.get(track) ?? builtOf(track);
    known.set(track, found);
    return found;
  };
  const selected = tracks.filter((track) => track.selected);
  const datasets: PlannedDataset[] = [];
  for (const track of selected) {
    datasets.push(datasetOf(track, tracks, built, input));
    yield;
  }
  return {
    datasets,
    leavesStale: leavesStale(tracks),
    notices: [...notices, ...selected.flatMap(leftOutNotices)],
    uncovered: uncovered.map(({ upstream, reader, indexes }) => ({
      dataset: upstream.node.name,
      reader: reader.node.name,
      intervals: intervalsAt(upstream.borders, indexes),
    })),
    empty: selected.every(({ asked }) => asked.lo === asked.hi),
  };
}

function isRanged({ range: { from, to } }: PlanInput): boolean {
  return from !== undefined || to !== undefined;
}

function datasetOf(
  track: Track,
  tracks: readonly Track[],
  built: (track: Track) => Built,
  input: PlanInput,
): PlannedDataset {
  const { node, borders, asked } = track;
  const window = track.timeless ? windowOf(track) : undefined;
  return {
    name: node.name,
    runs: runsAt(borders, built(track).indexes),
    intervals: intervalsOf(track, tracks, built),
    asked: asked.lo < asked.hi ? { start: at(borders, asked.lo), end: at(borders, asked.hi) } : null,
    ...countsOf(track),
    outside: isRanged(input) && !track.timeless ? outsideOf(track) : null,
    notAsked: input.rebuild === 'missing' ? notAskedOf(track) : [],
    edges: edgesOf(track, built),
    ...(window === undefined ? {} : { window }),
  };
}
