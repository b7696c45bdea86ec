/**
 * For slices of each kind: the connection is cut before and after every message of the protocol. A backfill has several slices that are
 * alike, and each of them is cut at another message; what the backfill leaves must be what one without a cut leaves.
 */
import type pg from 'pg';
import { BackfillClient } from '../../src/client/index.js';
import { onLanes, openCampaign, type Campaign } from './campaign.js';
import { COMPARED_DIGEST } from './oracle.js';
import { FROM, setSource, TO } from './project.js';
import { openTrack } from './run.js';
import type { Passing, Verdict } from './proxy.js';
import type { Lane } from './servers.js';

const WITH_ONE_SLICE = ['big', 'told', 'week', 'codes', 'whole'];
/** Ways of writing, by the dataset that stands for them. */
export const KINDS = [
  ...['events', 'moving', 'daily', 'apart', 'merged', 'total', 'seen', 'lines', 'numbers', 'through', 'ticks'],
  ...WITH_ONE_SLICE,
];

/** Slices of one backfill that are cut, by their numbers, … */
const SLICES_CUT = 8;
/** … where each may be another try of the same partition: of what fails five times a person has to hear. */
const TRIES_CUT = 4;
const IN_TURN = ['total', ...WITH_ONE_SLICE];
/** Slices that must have ended before a message of this number, for there to be none. */
const MISSES_MAX = 3;

const cutsOf = (kind: string): number => (IN_TURN.includes(kind) ? TRIES_CUT : SLICES_CUT);

interface Sort {
  readonly database: string;
  readonly from: Passing['from'];
  readonly verdict: Extract<Verdict, 'cut_before' | 'cut_after'>;
}

/** Every sort of place; where in it is counted up. */
const SORTS: readonly Sort[] = ['warehouse', 'ops'].flatMap((database) =>
  (['worker', 'server'] as const).flatMap((from) =>
    (['cut_before', 'cut_after'] as const).map((verdict) => ({ database, from, verdict })),
  ),
);

/** What a lane takes on at once. */
interface Task {
  readonly kind: string;
  readonly sorts: readonly Sort[];
}

/** A kind on one lane: what builds without a cut left, one of even and one of odd rounds, and the last round. */
interface Known {
  readonly calm: readonly string[];
  round: number;
}

interface Lab {
  readonly lane: Lane;
  readonly client: BackfillClient;
  readonly name: string;
  readonly kinds: Map<string, Known>;
}

/** A kind whose slices come one at a time takes as long as all the others together: each sort of place by itself, on whatever lane is free. */
function tasksOf(kinds: readonly string[]): Task[] {
  return kinds.flatMap((kind) =>
    IN_TURN.includes(kind) ? SORTS.map((sort) => ({ kind, sorts: [sort] })) : [{ kind, sorts: SORTS }],
  );
}

export async function exhaust(
  kinds: readonly string[],
  { lanes, until }: { readonly lanes: number; readonly until: number },
  say: (line: string) => void,
): Promise<boolean> {
  const campaign = await openCampaign(1);
  const sum = { places: 0, backfills: 0, wrong: 0, unfinished: 0 };
  try {
    const tasks = tasksOf(kinds);
    const left = tasks.values();
    await onLanes(campaign, Math.min(lanes, tasks.length), [...Array(lanes).keys()].values(), (lane, number) =>
      onProject(campaign, lane, `exhaustive_${number}`, async (lab) => {
        for (const task of left) {
          const done = await exhaustTask(lab, task, until);
          const what = task.sorts.length > 1 ? task.kind : [task.kind, ...task.sorts.flatMap(Object.values)].join(' ');
          const words = done.ended ? 'all' : 'some';
          say(`${what}: ${words} ${done.places} places in ${done.backfills} backfills, ${done.wrong.length} different`);
          for (const line of done.wrong) say(`    ${line}`);
          sum.places += done.places;
          sum.backfills += done.backfills;
          sum.wrong += done.wrong.length;
          if (!done.ended) sum.unfinished++;
        }
      }),
    );
    say(
      `${sum.places} places, ${sum.wrong} of ${sum.backfills} backfills different, ${sum.unfinished} of ${tasks.length} tasks unfinished`,
    );
    return sum.wrong + sum.unfinished === 0;
  } finally {
    await campaign.stop();
  }
}

async function onProject(
  { callee }: Campaign,
  lane: Lane,
  name: string,
  work: (lab: Lab) => Promise<void>,
): Promise<void> {
  const track = await openTrack(lane, callee, { name });
  const client = await BackfillClient.connect({ address: lane.stack.dev.info().temporalAddress, project: name });
  try {
    await track.run();
    await work({ lane, client, name, kinds: new Map() });
  } finally {
    await client.close();
    await track.stop();
  }
}

async function exhaustTask(
  lab: Lab,
  { kind, sorts }: Task,
  until: number,
): Promise<{ places: number; backfills: number; wrong: string[]; ended: boolean }> {
  const earlier = lab.kinds.get(kind);
  const before = earlier?.round ?? -1;
  const known = earlier ?? (await buildCalmly(lab, kind));
  const { calm } = known;
  let places = 0;
  const wrong: string[] = [];
  for (const sort of sorts) {
    /** How often a slice ended before it; Infinity: it was cut there. */
    const misses: number[] = [];
    const open = (): number[] =>
      Array.from({ length: misses.length + cutsOf(kind) }, (_, i) => i).filter((i) => (misses[i] ?? 0) < MISSES_MAX);
    while (misses.filter((count) => count === MISSES_MAX).length < MISSES_MAX) {
      if (Date.now() > until) return { places, backfills: known.round - before, wrong, ended: false };
      const round = ++known.round;
      const cuts = aim(lab, kind, sort, open());
      const found = await rebuild(lab, kind, round).catch(String);
      const { aimed, fired } = cuts.stop();
      for (const i of aimed) misses[i] = fired.has(i) ? Infinity : (misses[i] ?? 0) + 1;
      places += fired.size;
      if (found !== calm[round % 2])
        wrong.push(`${JSON.stringify({ ...sort, at: [...fired] })}: ${found} instead of ${calm[round % 2]}`);
    }
  }
  return { places, backfills: known.round - before, wrong, ended: true };
}

/** Two without a cut: rows move there and back again. Before them two more, for those of a month's last day move on to the first, and only once. */
async function buildCalmly(lab: Lab, kind: string): Promise<Known> {
  for (const round of [0, 1]) await rebuild(lab, kind, round);
  const known = { calm: [await rebuild(lab, kind, 2), await rebuild(lab, kind, 3)], round: 3 };
  lab.kinds.set(kind, known);
  return known;
}

/** Each of the first slices that come is cut at the next of these messages. */
function aim(
  { lane }: Lab,
  kind: string,
  { database, from, verdict }: Sort,
  open: readonly number[],
): { stop: () => { aimed: number[]; fired: Set<number> } } {
  const targets = new Map<string, number>();
  const fired = new Set<number>();
  const judge = (passing: Passing): Verdict => {
    const { slice } = passing;
    const [, , number, attempt, dataset] = slice?.split('/') ?? [];
    if (slice === undefined || dataset !== kind || attempt !== '1' || Number(number) > cutsOf(kind)) return 'pass';
    const target = targets.get(slice) ?? open[targets.size];
    if (target === undefined) return 'pass';
    targets.set(slice, target);
    const here = passing.database === database && passing.from === from && passing.nth === target + 1;
    if (!here || fired.has(target)) return 'pass';
    fired.add(target);
    return verdict;
  };
  lane.proxy.judges.add(judge);
  return {
    stop: () => {
      lane.proxy.judges.delete(judge);
      return { aimed: [...targets.values()], fired };
    },
  };
}

/** Builds a kind again, and says what is there then. */
async function rebuild({ lane, client, name }: Lab, kind: string, round: number): Promise<string> {
  await lane.on('ops', (ops) => setSource(ops, name, 2 * (round % 2)));
  if (kind === 'moving') await lane.on('ops', (ops) => toggleMoves(ops, name, round));
  // What batches cost is not known: so there are many, and none is large.
  await lane.on('warehouse', (warehouse) => warehouse.query('DELETE FROM sluice.profiles WHERE project = $1', [name]));
  const id = `${name}-${kind}-${round}`;
  await client.start({ select: kind, from: FROM, to: TO, rebuild: 'all', onFailure: 'fail' }, { id });
  await client.result(id);
  const table = ['told', 'seen'].includes(kind)
    ? `'no table'`
    : `(SELECT md5(string_agg(t::text, E'\\n' ORDER BY t::text)) FROM ${name}.${kind} t)`;
  const { rows } = await lane.on('warehouse', (warehouse) =>
    warehouse.query<{ text: string }>(
      `SELECT concat_ws(' ', ${table},
         (SELECT md5(string_agg(concat_ws(' ', starts_at, ends_at, rows, ${COMPARED_DIGEST}, moved), E'\\n'
            ORDER BY starts_at)) FROM sluice.partitions WHERE project = $1 AND dataset = $2),
         (SELECT count(*) FROM (SELECT FROM audit.published WHERE project = $1 AND dataset = $2 GROUP BY starts_at, epoch HAVING count(*) > 1) x)
           || ' published twice', (SELECT count(*) FROM audit.published WHERE project = $1 AND backfill_id = $3) || ' published') AS text`,
      [name, kind, id],
    ),
  );
  return rows[0]?.text ?? '';
}

/** A seventh of the rows goes from one of two days to the other, or back. */
async function toggleMoves(ops: pg.Client, name: string, round: number): Promise<void> {
  await ops.query(
    `UPDATE ${name}_src.moving SET at = date_trunc('day', at) + interval '1 day' * $1 + (at - date_trunc('day', at))
     WHERE id % 7 = 3 AND (extract(day FROM at)::int % 2 = $2)`,
    round % 2 === 0 ? [1, 0] : [-1, 1],
  );
}
