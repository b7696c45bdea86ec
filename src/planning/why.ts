import { formatInstant, type Interval } from '../core/interval/interval.js';
import { contains, overlaps } from '../core/interval/set.js';
import { completeUntil, isAged } from '../core/plan/track.js';
import type { LedgerRun } from '../core/plan/types.js';
import { floorTo } from '../core/time/axis.js';
import { formatDuration } from '../core/time/duration.js';
import { failedVerdict, heldVerdict } from './why-held.js';
import type { Cause, ChangedInput, HeldInterval, PublishedPartition, Verdict, WhyFacts } from './why-types.js';
import { inputsOf, type InputPartitions, type WhyDataset } from './why-inputs.js';
import { backfillCommand, partitionsText, partitionText, sentence, spaced } from './why-words.js';

/** Partitions of one input that are explained one by one; the others are only counted. */
const SHOWN_MAX = 3;
const DEPTH_MAX = 12;

/** Why a partition stands as it does: the chain of causes, down to those that have none above them. */
export function explain(facts: WhyFacts, dataset: string, partition: Interval): Cause {
  return causeOf({ facts, told: new Map() }, known(facts, dataset), partition, 0);
}

interface Walk {
  readonly facts: WhyFacts;
  /** What is explained already: many paths lead to one input. */
  readonly told: Map<string, Cause>;
}

function known({ datasets }: WhyFacts, name: string): WhyDataset {
  const dataset = datasets.get(name);
  if (!dataset) throw new Error(`no dataset ${name}`);
  return dataset;
}

function causeOf(walk: Walk, dataset: WhyDataset, partition: Interval, depth: number): Cause {
  const { facts, told } = walk;
  const key = `${dataset.name} ${partition.start}`;
  const before = told.get(key);
  if (before)
    return before.inputs.length === 0
      ? before
      : { ...before, cause: `${before.cause} Its causes are shown above.`, inputs: [] };
  const row = facts.published.get(dataset.name)?.get(partition.start);
  const verdict =
    row?.end === partition.end
      ? publishedCause(walk, dataset, row, depth)
      : unpublishedCause(walk, dataset, partition, depth);
  const interval = { start: formatInstant(partition.start), end: formatInstant(partition.end) };
  const cause = { dataset: dataset.name, interval, ...verdict };
  told.set(key, cause);
  return cause;
}

function publishedCause(walk: Walk, dataset: WhyDataset, row: PublishedPartition, depth: number): Verdict {
  const { facts } = walk;
  const environment = facts.environmentOf?.(dataset.name) ?? facts.environment;
  const where = environment === facts.environment ? '' : ` in ${environment}`;
  const by = row.backfillId === 'adopt' ? `Adopted${where}` : `Published${where} by backfill ${row.backfillId}`;
  const what = `${by} at ${row.publishedAt}: ${row.rows} ${row.rows === 1 ? 'row' : 'rows'}, definition ${row.version.slice(0, 8)}.`;
  const held = holderOf(facts, dataset, row);
  // What it has published it goes on holding until it ends.
  const holder = held?.backfillId === row.backfillId ? undefined : held;
  const failed =
    holder && failedVerdict(dataset, row, holder, failedAtOf(facts, dataset, row, holder), facts.environment);
  if (failed) return { ...failed, cause: `${failed.cause} Until then it stays as it was. ${what}`, inputs: [] };
  const then = holder ? ` Backfill ${holder.backfillId} is to build it again.` : '';
  const stale = (facts.verdicts.get(dataset.name) ?? []).find((run) => contains([endOf(run)], row))?.stale ?? null;
  const aged = agedText(dataset, row, facts.now);
  if (stale === null && aged === '') return { state: 'published', cause: `${what}${then}`, inputs: [] };
  // Missing again: no `--rebuild` is needed for it.
  const again = aged !== '' || stale === 'unseen' || stale === 'early';
  const next = holder ? {} : { next: backfillCommand(facts, dataset, row, again ? [] : ['--rebuild', 'stale']) };
  if (aged !== '') return { state: 'stale', cause: `${what} ${aged}${then}`, ...next, inputs: [] };
  if (stale === 'early')
    return {
      state: 'missing',
      cause: `${what} That was before its end: what came after is not in it, so it counts as missing.${then}`,
      ...(row.end <= completeUntil(dataset, facts.now) ? next : {}),
      inputs: [],
    };
  if (stale === 'definition')
    return {
      state: 'stale',
      cause: `${what} The definition is ${dataset.version.slice(0, 8)} by now.${then}`,
      ...next,
      inputs: [],
    };
  if (stale === 'columns')
    return {
      state: 'stale',
      cause: `${what} Its source has columns that it lacks.${then}`,
      ...next,
      inputs: [],
    };
  if (stale === 'moved')
    return {
      state: 'stale',
      cause: `${what} Rows of it moved to another partition since then.${then}`,
      ...next,
      inputs: [],
    };
  if (stale === 'unseen')
    return {
      state: 'stale',
      cause: `${what} ${elsewhereText(facts, dataset, row) || 'Its inputs have partitions since then that it never read.'}${then}`,
      ...next,
      inputs: [],
    };
  const changed = facts.changed.filter(
    ({ reader, readerStart }) => reader === dataset.name && readerStart === row.start,
  );
  const shown = depth < DEPTH_MAX ? changed.slice(0, SHOWN_MAX) : [];
  return {
    state: 'stale',
    cause: `${what} ${changed.length === 0 ? elsewhereText(facts, dataset, row) || changedSentence(facts, changed) : changedSentence(facts, changed)}${then}`,
    ...next,
    inputs: shown.map((one) => causeOf(walk, known(facts, one.dataset), one.partition, depth + 1)),
  };
}

/** Nothing where its age does not matter. */
function agedText(dataset: WhyDataset, { publishedAt }: PublishedPartition, now: number): string {
  const { refresh } = dataset;
  if (!isAged(dataset, Date.parse(publishedAt), now)) return '';
  return typeof refresh === 'string'
    ? `It is built again by every backfill that holds it: refresh: ${refresh}.`
    : `That is longer ago than ${formatDuration(refresh)}, after which it is built again: refresh.`;
}

function changedSentence(facts: WhyFacts, changed: readonly ChangedInput[]): string {
  return `Of what it read, ${changedText(facts, changed)} changed since then.`;
}

/** Nothing where it was built from the tables that are read today. */
function elsewhereText({ tablesOf }: WhyFacts, dataset: WhyDataset, { inputs }: PublishedPartition): string {
  if (!inputs) return '';
  const other = Object.entries(tablesOf?.(dataset) ?? {}).filter(([name, table]) => inputs[name] !== table);
  const texts = other.map(([name, table]) => `${name}, which is ${table} now, in ${inputs[name] ?? 'no table'}`);
  return texts.length === 0 ? '' : `It read ${texts.join(' and ')}.`;
}

function changedText({ datasets }: WhyFacts, changed: readonly ChangedInput[]): string {
  const names = [...new Set(changed.map(({ dataset }) => dataset))];
  const texts = names.map((name) =>
    partitionsText(
      name,
      datasets.get(name)?.axis,
      changed.filter(({ dataset }) => dataset === name).map(({ partition }) => partition),
    ),
  );
  return texts.length === 0 ? 'something' : texts.join(' and ');
}

function unpublishedCause(walk: Walk, dataset: WhyDataset, partition: Interval, depth: number): Verdict {
  const { facts } = walk;
  const timed = dataset.axis.grain !== 'none';
  if (timed && partition.start < floorTo(dataset.axis, dataset.start)) {
    return {
      state: 'missing',
      cause: `${dataset.name} starts at ${partitionText(dataset.axis, { start: dataset.start, end: Infinity })}: before that it has no partitions.`,
      inputs: [],
    };
  }
  if (timed && partition.end > completeUntil(dataset, facts.now)) {
    return {
      state: 'waiting',
      cause: `It is not complete yet: it can be built once its end, ${formatInstant(partition.end)}, and ready_after have passed.`,
      inputs: [],
    };
  }
  const lacking = inputsOf(dataset, partition, facts).map((input) => ({
    ...input,
    missing: input.partitions.filter((one) => !isPublished(facts, input.dataset.name, one)),
  }));
  const open = lacking.filter(({ missing }) => missing.length > 0);
  const inputs =
    depth < DEPTH_MAX
      ? open.flatMap(({ dataset: one, missing }) =>
          missing.slice(0, SHOWN_MAX).map((each) => causeOf(walk, one, each, depth + 1)),
        )
      : [];
  const reads = readsText(open);
  const holder = holderOf(facts, dataset, partition);
  return holder
    ? heldVerdict(dataset, partition, holder, reads, inputs, {
        environment: facts.environment,
        failedAt: failedAtOf(facts, dataset, partition, holder),
      })
    : missingVerdict(facts, dataset, partition, reads, inputs);
}

function readsText(open: readonly (InputPartitions & { readonly missing: readonly Interval[] })[]): string {
  const texts = open.map(({ dataset, partitions, missing }) =>
    partitions.length === 1
      ? `${dataset.name}, which is not published`
      : `${partitions.length} partitions of ${dataset.name}, ${missing.length === partitions.length ? 'none' : `${missing.length} not`} published`,
  );
  return texts.length === 0 ? '' : `It reads ${texts.join('; ')}.`;
}

function missingVerdict(
  facts: WhyFacts,
  dataset: WhyDataset,
  partition: Interval,
  reads: string,
  inputs: readonly Cause[],
): Verdict {
  const tried = facts.failures.find((one) => one.dataset === dataset.name && overlaps(one, partition));
  const next = backfillCommand(facts, dataset, partition, [], reads !== '');
  if (tried) {
    const cause = `Backfill ${tried.backfillId}, which is over, failed here: ${tried.code}: ${sentence(tried.message)}${spaced(reads)}`;
    return { state: 'failed', cause, next, inputs };
  }
  return {
    state: 'missing',
    cause: `It is not in the ledger, and no backfill is building it.${movedText(facts, dataset)}${spaced(reads)}`,
    next,
    inputs: inputs.map(withoutCommand),
  };
}

function movedText({ moves }: WhyFacts, { name }: WhyDataset): string {
  const text = moves?.get(name);
  return text === undefined ? '' : ` ${name} ${text}.`;
}

/** What a reader's own command builds along with it needs no command. */
function withoutCommand(cause: Cause): Cause {
  if (cause.state !== 'missing') return cause;
  const { next: _next, ...rest } = cause;
  return rest;
}

function holderOf({ held }: WhyFacts, { name }: WhyDataset, partition: Interval): HeldInterval | undefined {
  return held.find((one) => one.dataset === name && overlaps(one, partition));
}

function failedAtOf(
  { failures }: WhyFacts,
  { name }: WhyDataset,
  partition: Interval,
  { backfillId }: HeldInterval,
): string | undefined {
  const mine = failures.filter((one) => one.dataset === name && one.backfillId === backfillId);
  return mine.find((one) => overlaps(one, partition))?.failedAt;
}

function isPublished({ published }: WhyFacts, dataset: string, { start, end }: Interval): boolean {
  return published.get(dataset)?.get(start)?.end === end;
}

function endOf(run: LedgerRun): Interval {
  return run.start === -Infinity
    ? { start: -Infinity, end: Infinity }
    : { start: run.start, end: run.start + run.step * run.count };
}
