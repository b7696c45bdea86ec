import { RequestError } from '../contracts/errors.js';
import { typedIn } from '../contracts/typed.js';
import { readInterval } from '../core/graph/mapping.js';
import { FOREVER, type Instant, type Interval } from '../core/interval/interval.js';
import { runEnd } from '../core/interval/runs.js';
import { normalize, subtract } from '../core/interval/set.js';
import { completeUntil } from '../core/plan/track.js';
import type { LedgerRun } from '../core/plan/types.js';
import { ceilTo, floorTo } from '../core/time/axis.js';
import type { Dataset, Project } from '../project/project.js';
import { ledgerRuns } from '../store/ledger.js';
import { relationExists } from '../store/tables.js';
import type { Db } from '../store/store.js';
import type { View } from './defer.js';
import { rangeWords } from './ledger-change.js';
import { ledgerNode } from './places.js';

/** Commands that a message lists at most. */
const SHOWN_MAX = 20;

/**
 * Refuses to adopt a reader whose inputs the ledger lacks: adopted or built afterwards, they would make it stale at once.
 * @throws RequestError inputs_first, with what to type first, in order
 */
export async function requireInputs(
  db: Db,
  { view, now, span }: { readonly view: View; readonly now: Instant; readonly span: Interval },
  dataset: Dataset,
): Promise<void> {
  const { project, keyOf, deferred } = view;
  const missing = new Map<string, Interval>();
  for (const [name, { hull, timeless }] of hullsRead(project, dataset.name, span, now)) {
    const input = project.datasets.get(name);
    if (!input || deferred.has(name)) continue;
    const covered = intervalsOf(await ledgerRuns(db, keyOf, ledgerNode(project, input)));
    const until = covered.at(-1)?.end;
    const gaps = subtract([hull], covered)
      // A whole table reads what is there: that its inputs lack last night is no reason to build it again before they have it.
      .filter(({ start }) => !timeless || until === undefined || start < until);
    const [first, last] = [gaps[0], gaps.at(-1)];
    if (first && last) missing.set(name, { start: first.start, end: last.end });
  }
  const direct = dataset.needs.filter((need) => need.stale !== 'ignore' && missing.has(need.dataset));
  if (direct.length === 0) return;
  const commands: string[] = [];
  for (const input of project.datasets.values()) {
    const gap = missing.get(input.name);
    if (gap) commands.push(await commandOf(db, project, input, gap));
  }
  const names = direct.map((need) => need.dataset).join(', ');
  throw new RequestError(
    'inputs_first',
    `${dataset.name} reads ${names}, of which the ledger lacks what it reads there: adopted or built afterwards, that would make it stale`,
    `first, in this order, then this again:\n${commands.slice(0, SHOWN_MAX).join('\n')}`,
  );
}

/** Ascending, without what was published before its end, which counts as missing. */
function intervalsOf(runs: readonly LedgerRun[]): Interval[] {
  return normalize(
    runs
      .filter(({ stale }) => stale !== 'early')
      .map((run) => ({ start: run.start, end: run.start === -Infinity ? Infinity : runEnd(run) })),
  );
}

interface Read {
  readonly hull: Interval;
  /** Whether only whole tables read it. */
  readonly timeless: boolean;
}

/** What is read, directly or not, of datasets that have a table: from their start to their last complete partition. */
function hullsRead(
  { datasets }: Pick<Project, 'datasets'>,
  dataset: string,
  span: Interval,
  now: Instant,
): ReadonlyMap<string, Read> {
  const hulls = new Map<string, Read>([[dataset, { hull: span, timeless: false }]]);
  for (const reader of [...datasets.values()].reverse()) {
    const from = hulls.get(reader.name);
    if (!from) continue;
    for (const need of reader.needs) {
      const input = datasets.get(need.dataset);
      if (!input || input === reader || input.body.kind === 'call' || need.stale === 'ignore') continue;
      const hull = clipped(input, readInterval(need, reader.axis, from.hull), now);
      if (hull.start >= hull.end) continue;
      const known = hulls.get(input.name);
      hulls.set(input.name, {
        hull: {
          start: Math.min(hull.start, known?.hull.start ?? Infinity),
          end: Math.max(hull.end, known?.hull.end ?? -Infinity),
        },
        timeless: reader.axis.grain === 'none' && (known?.timeless ?? true),
      });
    }
  }
  hulls.delete(dataset);
  return hulls;
}

function clipped(input: Dataset, { start, end }: Interval, now: Instant): Interval {
  const { axis } = input;
  if (axis.grain === 'none') return FOREVER;
  return {
    start: Math.max(floorTo(axis, start), floorTo(axis, input.start)),
    end: Math.min(ceilTo(axis, end), completeUntil(input, now)),
  };
}

/** A table that is there is adopted; what has none is built. */
async function commandOf(db: Db, { environment }: Project, input: Dataset, gap: Interval): Promise<string> {
  const verb = input.publish !== 'view' && (await relationExists(db, input.table)) ? 'adopt' : 'backfill';
  return typedIn(environment, `sluice ${verb} ${input.name}${rangeWords(gap)}`);
}
