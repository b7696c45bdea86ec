import { boundsOf, FULL, slotSeconds, type Bound } from './bounds.js';
import type { Advice, Advised, DatasetFacts, Facts } from './types.js';

/** What gains less is not worth a person's time, nor surely there. */
const GAIN_MIN = 1.2;
const ADVICE_MAX = 3;

/** What limits a backfill, and what would help. */
export function advise(seen: Facts): Advised {
  // Less than one look in thirty saw is none.
  const facts = { ...seen, atWork: seen.atWork < 0.03 ? 0 : seen.atWork };
  const work = workOf(facts);
  const [longest] = boundsOf(facts);
  if (work === 0 || !longest)
    return { limit: { code: 'nothing', message: nothing(facts) }, secondsLeft: null, advice: [] };
  const pace = facts.atWork > 0 ? work / facts.atWork : longest.seconds;
  const explained = longest.seconds >= FULL * pace || isFull(facts);
  const advice = changes(facts)
    .map(({ facts: changed, ...words }): Advice => ({ ...words, gain: gainOf(facts, changed, explained) }))
    .filter(({ gain }) => gain >= GAIN_MIN)
    .sort((a, b) => b.gain - a.gain)
    .slice(0, ADVICE_MAX);
  return {
    limit: explained ? limitOf(facts, longest) : waits(facts),
    secondsLeft: Math.max(pace, longest.seconds),
    advice,
  };
}

function nothing({ datasets }: Facts): string {
  return datasets.every(({ remaining }) => remaining === 0)
    ? 'nothing is left to build'
    : 'no batch has ended yet: what it costs is not known';
}

function workOf({ datasets }: Facts): number {
  return [...slotSeconds(datasets).values()].reduce((sum, one) => sum + one, 0);
}

function isFull({ slots, maxParallel, atWork, others }: Facts): boolean {
  return atWork + others >= FULL * Math.min(slots ?? Infinity, maxParallel ?? Infinity);
}

/** Where no bound explains the pace, only less work helps for sure. */
function gainOf(before: Facts, after: Facts, explained: boolean): number {
  const of = (facts: Facts): number => (explained ? (boundsOf(facts)[0]?.seconds ?? 0) : workOf(facts));
  const [from, to] = [of(before), of(after)];
  return to > 0 && from > to ? from / to : 1;
}

type Change = Omit<Advice, 'gain'> & { readonly facts: Facts };

/** All that a person could change, whether or not it is in the way. */
function changes(facts: Facts): Change[] {
  return [...ofSlots(facts), ...ofFlow(facts), ...facts.datasets.flatMap((one) => ofDataset(facts, one))];
}

function ofSlots(facts: Facts): Change[] {
  const { slots, budget, cause, connection, cores, others, atWork } = facts;
  if (slots === null) return [];
  if (cause === 'operator')
    return budget === null || budget <= slots
      ? []
      : [
          {
            code: 'release',
            message: `a person has cut the ${budget} slots of connection ${connection} to ${slots}: \`sluice warehouse\` says who and why`,
            next: `sluice warehouse release ${connection}`,
            facts: { ...facts, slots: budget },
          },
        ];
  // A window, a stop or the warehouse's own users: more slots in the budget would change nothing.
  if (cause !== 'budget' && cause !== 'free') return [];
  const known = cores === null ? ' How many cores the database has is not known: say it as budget.cores' : '';
  return [
    {
      code: 'more_slots',
      message: `of ${slots} slots ${shown(atWork + others)} were at work, and ${shown(facts.cpu.ours + facts.cpu.others)} backends on a CPU of the database.${known}`,
      next: `in sluice.yaml, connection ${connection}: budget.slots ${2 * slots}`,
      // Whoever else is there takes as much more.
      facts: { ...facts, slots: 2 * slots, others: 2 * others },
    },
  ];
}

function ofFlow(facts: Facts): Change[] {
  const { id, maxParallel, rate, workers, connection, queued, atWork } = facts;
  const changes: Change[] = [];
  if (maxParallel !== null)
    changes.push({
      code: 'max_parallel',
      message: `it may have ${maxParallel} batches at work at once, and had ${shown(atWork)}`,
      next: `sluice adjust ${id} --max-parallel ${2 * maxParallel}`,
      facts: { ...facts, maxParallel: 2 * maxParallel },
    });
  if (rate !== null && rate > 0)
    changes.push({
      code: 'raise_rate',
      message: `connection ${connection} lets ${rate} batches a second begin, and ${shown(facts.batchesPerSecond)} did`,
      next: `in sluice.yaml, connection ${connection}: budget.rate ${2 * rate}`,
      facts: { ...facts, rate: 2 * rate },
    });
  // One more as good as those that are there.
  const more = atWork * (1 + 1 / Math.max(1, workers));
  changes.push({
    code: 'add_workers',
    message: `${shown(queued)} slices wait for a worker while slots stand empty`,
    next: 'sluice worker (on another machine, or with a higher --concurrency)',
    facts: { ...facts, atWork: more, cpu: { ...facts.cpu, ours: facts.cpu.ours * (more / Math.max(atWork, 0.001)) } },
  });
  return changes;
}

function ofDataset(facts: Facts, dataset: DatasetFacts): Change[] {
  const { name, inOrder, pool, joining, index } = dataset;
  const with_ = (changed: Partial<DatasetFacts>): Facts => ({
    ...facts,
    datasets: facts.datasets.map((one) => (one.name === name ? { ...one, ...changed } : one)),
  });
  const times = (part: number): Facts =>
    with_({ partitionMs: dataset.partitionMs === null ? null : dataset.partitionMs * part });
  const changes: Change[] = [];
  if (inOrder === 'reads_itself')
    changes.push({
      code: 'reads_itself',
      message: `it reads itself: its partitions follow one another, whatever is free; the gain is that of half the time for each`,
      next: `make the statement of ${name} cheaper`,
      facts: times(0.5),
    });
  if (inOrder !== null && inOrder !== 'reads_itself')
    changes.push({
      code: 'serial_key',
      message: 'sluice itself keeps its key unique, a batch at a time, for no index of its partitioned table does',
      next: `${inOrder.addToKey === null ? '' : `in ${name}: add ${inOrder.addToKey} to key; then `}in the warehouse: ${inOrder.index}`,
      facts: with_({ inOrder: null }),
    });
  if (pool)
    changes.push({
      code: 'pool_slots',
      message: `pool ${pool.name} has ${pool.slots} slots for all datasets in it`,
      next: `in sluice.yaml: pools.${pool.name}.slots ${2 * pool.slots}`,
      facts: {
        ...facts,
        datasets: facts.datasets.map((one) =>
          one.pool?.name === pool.name ? { ...one, pool: { ...pool, slots: 2 * pool.slots } } : one,
        ),
      },
    });
  if (joining !== null)
    changes.push({
      code: 'join',
      message:
        'one statement could build many of its partitions, which is proven, and its settings say coalesce: never',
      next: `in ${name}: coalesce: auto`,
      facts: times(joining),
    });
  if (index)
    changes.push({
      code: 'add_index',
      message: 'each of its partitions reads a table from end to end',
      next: index.statement,
      facts: times(index.part),
    });
  return changes.map((change) => ({ ...change, dataset: name }));
}

/** Nothing explains the pace. */
function waits({ atWork, others }: Facts): Advised['limit'] {
  const message = `slots stand empty (${shown(atWork + others)} at work): what is left waits for its inputs, or work has just begun`;
  return { code: 'inputs', message };
}

function limitOf(facts: Facts, { code, dataset }: Bound): Advised['limit'] {
  const { slots, others, atWork, maxParallel, rate } = facts;
  const of = dataset === undefined ? {} : { dataset };
  const words: Readonly<Record<string, string>> = {
    // Of a limit that has just shrunk more are still at work.
    slots: `its slots: ${shown(Math.min(atWork + others, slots ?? Infinity))} of ${slots} were at work (${facts.cause})`,
    max_parallel: `--max-parallel ${maxParallel}`,
    cpu: `the database's cores: ${shown(facts.cpu.ours + facts.cpu.others)} backends are on a CPU`,
    rate: `the rate of ${rate} batches a second`,
    workers: `its workers: slices wait for one while slots stand empty`,
    in_order: `${dataset}, whose batches follow one another`,
    pool: `the pool of ${dataset}`,
  };
  return { code, ...of, message: words[code] ?? code };
}

function shown(value: number): string {
  return String(Math.round(10 * value) / 10);
}
