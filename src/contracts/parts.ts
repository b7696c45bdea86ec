import { allEnded } from './all-ended.js';
import type { BackfillStatus, DatasetState, DatasetStatus, PlanWarning } from './status.js';

/** Bytes of a status document in one payload: under 100 KB with what is around it. 300 datasets where nothing fails. */
export const STATUS_BYTES_MAX = 90_000;

/** Failures that a document lists in all, but at least one of each dataset: a thousand datasets with 20 each would be 10 MB. */
export const LISTED_IN_ALL = 400;

/** Lower is shown first where there is no room for all. */
const URGENCY: Record<DatasetState, number> = {
  failed: 0,
  held: 0,
  running: 1,
  paused: 2,
  waiting: 3,
  cancelled: 4,
  done: 5,
};

export function urgencyOf({ failed, state }: Pick<DatasetStatus, 'failed' | 'state'>): number {
  return failed > 0 ? 0 : URGENCY[state];
}

/** The datasets with fewer failures each, where they list too many together; how many there are, they say all the same. */
export function listedFairly(datasets: readonly DatasetStatus[]): DatasetStatus[] {
  const failing = datasets.filter(({ failures }) => failures.length > 0).length;
  const each = Math.max(1, Math.floor(LISTED_IN_ALL / Math.max(1, failing)));
  return datasets.map((one) => (one.failures.length > each ? { ...one, failures: one.failures.slice(0, each) } : one));
}

/**
 * What a history keeps of a status, and a query answers that asks for no part: all of it if it fits, else those datasets that want a
 * person first, in the plan's order. `leftOut` counts the others; totals are of all.
 */
export function shortened(status: BackfillStatus): BackfillStatus {
  if (bytesOf(status) <= STATUS_BYTES_MAX) return status;
  const byUrgency = [...status.datasets].sort((a, b) => urgencyOf(a) - urgencyOf(b));
  const kept = new Set(fitting(byUrgency, roomIn(status)));
  return of(
    status,
    status.datasets.filter((one) => kept.has(one)),
  );
}

/** The datasets from number `from` on, as many as fit and one at least: asked for one after the other, the parts hold all of them. */
export function partOf(status: BackfillStatus, from: number): BackfillStatus {
  const rest = status.datasets.slice(from);
  const room = roomIn(status);
  let bytes = 0;
  const beyond = rest.findIndex((one, i) => (bytes += bytesOf(one) + 1) > room && i > 0);
  return of(status, beyond < 0 ? rest : rest.slice(0, beyond));
}

/**
 * A whole status from its parts. What it says of the backfill is from the first, so that one that is `held` has no dataset that was still at work; the others are younger, asked for
 * together as if all were as long, and what it counts is of the datasets that it shows. Where one fails, none is under way when that is said.
 * @param ask - the part that begins with dataset number `from`
 */
export async function wholeOf(ask: (from: number) => Promise<BackfillStatus>): Promise<BackfillStatus> {
  const { leftOut, ...oldest } = await ask(0);
  const datasets = [...oldest.datasets];
  const size = Math.max(1, datasets.length);
  for (let count = datasets.length + (leftOut ?? 0); datasets.length < count;) {
    const first = datasets.length;
    const froms = Array.from({ length: Math.ceil((count - first) / size) }, (_, i) => first + i * size);
    const parts = await allEnded(froms.map(async (from) => ({ from, ...(await ask(from)) })));
    for (const { from, ...part } of parts) {
      // One before it was shorter: what lies between is asked for first.
      if (from > datasets.length) break;
      datasets.push(...part.datasets.slice(datasets.length - from));
      // A new plan may have fewer.
      count = part.datasets.length + (part.leftOut ?? 0);
    }
    if (datasets.length === first) break;
  }
  return { ...oldest, ...totalsOf(datasets), datasets };
}

/** What a status counts of its datasets together. */
export function totalsOf(datasets: readonly DatasetStatus[]): Pick<BackfillStatus, 'partitions' | 'rows'> {
  const sum = (of: (status: DatasetStatus) => number): number =>
    datasets.reduce((total, status) => total + of(status), 0);
  return {
    partitions: {
      total: sum(({ total }) => total),
      done: sum(({ done }) => done),
      failed: sum(({ failed }) => failed),
      blocked: sum(({ blocked }) => blocked),
      skipped: sum(({ skipped }) => skipped),
    },
    rows: sum(({ rows }) => rows),
  };
}

/** Of a thousand warnings the first ones, and how many more there are. */
export function fewWarnings(warnings: readonly PlanWarning[], bytesMax: number): PlanWarning[] {
  const few = warnings.slice(0, lengthWithin(warnings, bytesMax));
  const left = warnings.length - few.length;
  const more = { dataset: '*', code: 'more_warnings', message: `and ${left} more: sluice plan shows them all` };
  return left > 0 ? [...few, more] : few;
}

/** `a, b, c and 997 more`. */
export function few(names: readonly string[], most = 10): string {
  const left = names.length - most;
  return left > 0 ? `${names.slice(0, most).join(', ')} and ${left} more` : names.join(', ');
}

/** How many of the first ones fit into so many bytes, each with a comma. */
export function lengthWithin(list: readonly unknown[], bytesMax: number): number {
  let bytes = 0;
  const beyond = list.findIndex((one) => (bytes += bytesOf(one) + 1) > bytesMax);
  return beyond < 0 ? list.length : beyond;
}

function of(status: BackfillStatus, datasets: DatasetStatus[]): BackfillStatus {
  const leftOut = status.datasets.length - datasets.length;
  return leftOut > 0 ? { ...status, datasets, leftOut } : { ...status, datasets };
}

function roomIn(status: BackfillStatus): number {
  return STATUS_BYTES_MAX - bytesOf({ ...status, datasets: [], leftOut: status.datasets.length });
}

/** Those that fit, in this order; one that does not makes room for smaller ones behind it. */
function fitting(datasets: readonly DatasetStatus[], room: number): DatasetStatus[] {
  let left = room;
  return datasets.filter((one) => {
    const bytes = bytesOf(one) + 1;
    if (bytes > left) return false;
    left -= bytes;
    return true;
  });
}

const encoder = new TextEncoder();

/** As a payload holds it: JSON, in UTF-8. */
export function bytesOf(value: unknown): number {
  return encoder.encode(JSON.stringify(value)).length;
}
