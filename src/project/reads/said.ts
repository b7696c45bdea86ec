import type { Problem } from '../../contracts/errors.js';
import type { Need } from '../../core/graph/need.js';
import { durationMs, formatDuration, ZERO, type Duration } from '../../core/time/duration.js';
import type { Resolved } from '../cycles.js';
import type { Draft } from '../draft.js';
import type { Statement } from '../project.js';
import { problemAt, type Mistake } from '../text.js';
import { lengthOf } from './bound.js';
import { covers, readingsOf, type Reading, type Upstream } from './judge.js';
import type { Clock } from './value.js';

const PER_SECOND = { s: 1, ms: 1e3, us: 1e6, ns: 1e9 } as const;
/** Of several places in which one upstream is read the worst is told. */
const WORST: readonly Reading['kind'][] = ['interval', 'lookback', 'unknown', 'all', 'ahead'];

export interface Said {
  readonly problems: readonly Problem[];
  /** By reader; where a limit is proven, or said by the author alone. */
  readonly needs: ReadonlyMap<string, readonly Need[]>;
  /** By `grain: none` reader: upstreams in which it is not proven to stop at `:end`. */
  readonly unbounded: ReadonlyMap<string, readonly string[]>;
}

/**
 * Holds what each partitioned transform reads of each partitioned upstream against what its `needs` says. `order`: upstreams first, as how a
 * dataset's time is told follows from theirs.
 */
export async function judgeReads(
  order: readonly string[],
  resolved: ReadonlyMap<string, Resolved>,
  turn: () => Promise<void>,
): Promise<Said> {
  const problems: Problem[] = [];
  const needs = new Map<string, readonly Need[]>();
  const unbounded = new Map<string, readonly string[]>();
  const clocks = new Map<string, Clock>();
  for (const name of order) {
    const one = resolved.get(name);
    const clock = one && ownClock(one.draft);
    if (clock !== undefined) clocks.set(name, clock);
    if (one?.draft.kind !== 'transform') continue;
    if (!isPartitioned(one.draft)) {
      const beyond = beyondEnd(one, resolved, clocks);
      if (beyond.length > 0) unbounded.set(name, beyond);
      await turn();
      continue;
    }
    const judged = judgeOne(one, resolved, clocks);
    await turn();
    problems.push(...judged.problems);
    needs.set(name, judged.needs);
    clocks.set(name, judged.clock === 'zoned' ? 'zoned' : 'local');
  }
  return { problems, needs, unbounded };
}

export function isPartitioned({ kind, axis }: Pick<Draft, 'kind' | 'axis'>): boolean {
  return kind !== 'call' && axis.grain !== 'none';
}

/** The clock of an extract's time: without `source_timezone` or `unit` it is an instant. */
function ownClock({ extract }: Draft): Clock | undefined {
  if (!extract) return undefined;
  if (extract.time?.unit !== undefined) return PER_SECOND[extract.time.unit];
  return extract.sourceTimezone === undefined ? 'zoned' : `wall:${extract.sourceTimezone}`;
}

interface Judged {
  readonly problems: readonly Problem[];
  readonly needs: readonly Need[];
  readonly clock: Clock | undefined;
}

function judgeOne(one: Resolved, all: ReadonlyMap<string, Resolved>, clocks: ReadonlyMap<string, Clock>): Judged {
  const { draft, statement, needs } = one;
  const { axis, parsed, settings } = draft;
  if (!parsed || !statement || settings.time === undefined) return { problems: [], needs, clock: undefined };
  const { readings, clock } = readingsOf({
    tree: parsed.tree,
    axis,
    time: settings.time,
    view: settings.publish === 'view',
    upstreamOf: upstreamsOf(statement, all, clocks),
  });
  const lacking = needs.filter((need) => {
    const upstream = all.get(need.dataset);
    if (!upstream || !isPartitioned(upstream.draft)) return false;
    return !readingsFor(need.dataset, readings).every((reading) => covers(saidOf(need, draft), reading, axis.zone));
  });
  const line = lineOf(needs, lacking, draft, readings);
  const problems = lacking.map(({ dataset }) => {
    const read = statement.relations.find((relation) => relation.dataset === dataset);
    const place = read ? { line: read.line, column: read.column } : draft.source?.placeOfKey(['needs', dataset]);
    const upstream = upstreamOf(dataset, all, clocks);
    return problemAt(draft.file, place, mistakeOf(dataset, worst(readingsFor(dataset, readings)), upstream, line));
  });
  return { problems, needs: needs.map((need) => wordOf(need, readingsFor(need.dataset, readings), draft, all)), clock };
}

/** What a whole table reads of each partitioned upstream: all that there is, unless it is proven that it stops at `:end`. */
function beyondEnd(
  { draft, statement, needs }: Resolved,
  all: ReadonlyMap<string, Resolved>,
  clocks: ReadonlyMap<string, Clock>,
): string[] {
  const { axis, parsed } = draft;
  const read = needs.flatMap(({ dataset }) => upstreamOf(dataset, all, clocks)?.name ?? []);
  if (read.length === 0 || !parsed || statement?.params.every(({ name }) => name !== 'end') !== false) return read;
  const asked = { tree: parsed.tree, axis, time: '', view: false };
  const { readings } = readingsOf({ ...asked, upstreamOf: upstreamsOf(statement, all, clocks) });
  return read.filter((name) => !readingsFor(name, readings).every(stops));
}

function stops(reading: Reading): boolean {
  return reading.kind === 'interval' || reading.kind === 'lookback' || (reading.kind === 'all' && !reading.endless);
}

/** By the name of a table, as the SQL has it. */
function upstreamsOf(
  { relations }: Statement,
  all: ReadonlyMap<string, Resolved>,
  clocks: ReadonlyMap<string, Clock>,
): (schema: string | undefined, name: string) => Upstream | undefined {
  const upstreams = new Map(
    relations.flatMap(({ schema, name, dataset }): [string, Upstream][] => {
      const upstream = upstreamOf(dataset, all, clocks);
      return upstream ? [[JSON.stringify([schema, name]), upstream]] : [];
    }),
  );
  return (schema, name) => upstreams.get(JSON.stringify([schema, name]));
}

function upstreamOf(
  name: string | undefined,
  all: ReadonlyMap<string, Resolved>,
  clocks: ReadonlyMap<string, Clock>,
): Upstream | undefined {
  const draft = name === undefined ? undefined : all.get(name)?.draft;
  const time = draft && (draft.extract ? draft.extract.time?.column : draft.settings.time);
  if (!draft || time === undefined || !isPartitioned(draft)) return undefined;
  return { name: draft.name, axis: draft.axis, time, clock: clocks.get(draft.name) };
}

/** What is read through a view outside of the project is not seen at all. */
function readingsFor(dataset: string, readings: ReadonlyMap<string, readonly Reading[]>): readonly Reading[] {
  return readings.get(dataset) ?? [{ kind: 'unknown' }];
}

/** What is said of an upstream. A dataset that reads itself reads its partition before, unless more is said. */
function saidOf(need: Need, { name, axis, settings }: Draft): { lookback?: Duration; window?: 'all' | 'interval' } {
  const window = settings.needs?.[need.dataset]?.window;
  const said = { ...(need.lookback && { lookback: need.lookback }), ...(window && { window }) };
  return need.dataset === name && !need.lookback && !window ? { lookback: lengthOf(axis) } : said;
}

function worst(readings: readonly Reading[]): Reading {
  const ranked = readings.toSorted((a, b) => WORST.indexOf(b.kind) - WORST.indexOf(a.kind));
  return ranked[0] ?? { kind: 'unknown' };
}

/** Whose word a mapping is: the SQL's, where the judge has proven it; else its author's. */
function wordOf(
  need: Need,
  readings: readonly Reading[],
  { settings }: Draft,
  all: ReadonlyMap<string, Resolved>,
): Need {
  const upstream = all.get(need.dataset);
  if (!upstream || !isPartitioned(upstream.draft) || need.window === 'all') return need;
  const said = settings.needs?.[need.dataset]?.window === 'interval';
  const proven = readings.every(({ kind }) => kind !== 'unknown') && !said;
  return proven ? need : { ...need, word: 'author' };
}

/** The `needs:` line to write: what is there already, and what is missing. */
function lineOf(
  needs: readonly Need[],
  lacking: readonly Need[],
  draft: Draft,
  readings: ReadonlyMap<string, readonly Reading[]>,
): string {
  const entries = needs.flatMap((need) => {
    const { dataset, stale } = need;
    const missing = lacking.includes(need) && !readingsFor(dataset, readings).some(({ kind }) => kind === 'ahead');
    if (!missing && draft.settings.needs?.[dataset] === undefined) return [];
    const { lookback, window } = missing
      ? suggested(readingsFor(dataset, readings))
      : saidOf(need, { ...draft, name: '' });
    const parts = [
      ...(lookback ? [`lookback: ${formatDuration(lookback)}`] : []),
      ...(window ? [`window: ${window}`] : []),
      ...(stale ? [`stale: ${stale}`] : []),
    ];
    return [`${dataset}: {${parts.length > 0 ? ` ${parts.join(', ')} ` : ''}}`];
  });
  return `needs: { ${entries.join(', ')} }`;
}

function suggested(readings: readonly Reading[]): { lookback?: Duration; window?: 'all' } {
  const lookbacks = readings.flatMap((reading) => (reading.kind === 'lookback' ? [reading.lookback] : []));
  if (readings.some(({ kind }) => kind === 'all' || kind === 'unknown')) return { window: 'all' };
  const most = (part: keyof Duration): number => Math.max(...lookbacks.map((one) => one[part]));
  const largest = lookbacks.toSorted((a, b) => durationMs(b) - durationMs(a))[0] ?? ZERO;
  const isLargest = (['months', 'days', 'ms'] as const).every((part) => most(part) === largest[part]);
  return { lookback: isLargest ? largest : { months: most('months'), days: most('days'), ms: most('ms') } };
}

function mistakeOf(dataset: string, reading: Reading, upstream: Upstream | undefined, line: string): Mistake {
  const time = upstream?.time ?? 'its time';
  const interval = `${time} >= :start AND ${time} < :end`;
  const code = 'reads_beyond';
  switch (reading.kind) {
    case 'lookback':
    case 'interval': {
      const back = formatDuration(reading.kind === 'lookback' ? reading.lookback : ZERO);
      return {
        code,
        message: `it reads ${dataset} up to ${back} before its interval, and needs says less`,
        remedy: `write ${line}; or limit it to ${interval}`,
        write: line,
      };
    }
    case 'all':
      return {
        code,
        message: reading.endless
          ? `it reads all of ${dataset}: nothing limits its ${time}`
          : `it reads all of ${dataset} before :end, and needs says less`,
        remedy: `write ${line}${reading.endless ? `, and limit it to ${time} < :end` : ''}; or limit it to ${interval}`,
        write: line,
      };
    case 'ahead':
      return {
        code,
        message: `it reads ${dataset} at or after :end, which is built without waiting for that`,
        remedy: `limit it to ${time} < :end: what lies on :end is of the next partition`,
      };
    case 'unknown':
      return {
        code,
        message: `it is not understood which interval of ${dataset} it reads`,
        remedy: `limit it to ${interval}; or say it: ${line}, or lookback: 7d, or window: interval, which is your word for the same interval`,
        write: line,
      };
  }
}

/** What must be said of a dataset that a view outside of the project hides. */
export function hiddenReading(dataset: string): Mistake {
  return mistakeOf(dataset, { kind: 'unknown' }, undefined, `needs: { ${dataset}: { window: all } }`);
}
