/**
 * For one slice of each kind: the connection is cut before and after every message of the protocol, one in each backfill. A backfill of
 * two days is carried out for each; what it leaves must be what one without a cut leaves.
 */
import { join } from 'node:path';
import type pg from 'pg';
import { BackfillClient } from '../../src/client/index.js';
import { audit } from './oracle.js';
import { FROM, makeSource, mendWords, projectFiles, TO } from './project.js';
import type { Passing, Verdict } from './proxy.js';
import type { Servers } from './servers.js';
import { startWorkers } from './workers.js';

/** Ways of writing, by the dataset that stands for them, and what is built of it each time. */
const TWO_DAYS = { from: '2024-01-08', to: '2024-01-10' };
export const KINDS: Readonly<Record<string, { from: string; to: string }>> = {
  events: TWO_DAYS,
  lines: TWO_DAYS,
  codes: TWO_DAYS,
  moving: TWO_DAYS,
  daily: TWO_DAYS,
  apart: TWO_DAYS,
  merged: TWO_DAYS,
  seen: TWO_DAYS,
  total: { from: '2024-01-11', to: TO },
  whole: TWO_DAYS,
};

interface Point {
  readonly database: string;
  readonly from: Passing['from'];
  readonly verdict: Exclude<Verdict, 'pass' | 'stall'>;
  readonly nth: number;
}

/** Every sort of place; where in it is counted up. */
const SORTS: readonly Omit<Point, 'nth'>[] = ['warehouse', 'ops'].flatMap((database) =>
  (['worker', 'server'] as const).flatMap((from) =>
    (['cut_before', 'cut_after'] as const).map((verdict) => ({ database, from, verdict })),
  ),
);

/** What became of one kind: how many places there are, and where it went wrong. */
export interface Exhausted {
  readonly kind: string;
  readonly points: number;
  readonly wrong: readonly string[];
}

interface Lab {
  readonly servers: Servers;
  readonly client: BackfillClient;
  readonly name: string;
  /** Cuts once, in the first slice of a dataset that comes. */
  readonly aim: (kind: string, point: Point) => { fired: () => boolean };
}

/** Goes through all places of all kinds, side by side: most of the time is the pause before a retry. */
export async function exhaust(
  servers: Servers,
  kinds: readonly string[],
  say: (line: string) => void,
): Promise<Exhausted[]> {
  const name = 'exhaustive';
  servers.stack.project(name, projectFiles(name));
  await servers.on('ops', (ops) => makeSource(ops, name));
  await servers.on('ops', (ops) => mendWords(ops, name));
  const workers = await startWorkers(servers, join(servers.stack.dir, name));
  const client = await BackfillClient.connect({ address: servers.stack.dev.info().temporalAddress, project: name });
  try {
    await servers.on('warehouse', audit);
    await client.start({ from: FROM, to: TO }, { id: 'all' });
    await client.result('all');
    const aim = aimAt(servers);
    return await Promise.all(
      kinds.map(async (kind) => {
        const done = await exhaustKind({ servers, client, name, aim }, kind, say);
        say(`${kind}: ${done.points} places, ${done.wrong.length} different`);
        for (const line of done.wrong) say(`    ${line}`);
        return done;
      }),
    );
  } finally {
    servers.proxy.heal();
    await client.close();
    await workers.stop();
  }
}

async function exhaustKind(lab: Lab, kind: string, say: (line: string) => void): Promise<Exhausted> {
  // Two without a cut: rows move there and back again.
  const calm = [await rebuild(lab, kind, 0), await rebuild(lab, kind, 1)];
  let [round, points] = [1, 0];
  const wrong: string[] = [];
  for (const sort of SORTS) {
    for (let nth = 1; ; nth++) {
      round++;
      const point = { ...sort, nth };
      const { fired } = lab.aim(kind, point);
      const found = await rebuild(lab, kind, round).catch(String);
      if (found !== calm[round % 2]) wrong.push(`${JSON.stringify(point)}: ${found} instead of ${calm[round % 2]}`);
      if (!fired()) break;
      points++;
    }
    say(
      `${kind}, ${sort.database}, ${sort.verdict} of the ${sort.from}: ${points} places so far, ${wrong.length} different`,
    );
  }
  return { kind, points, wrong };
}

/** Builds a kind's days again, and says what is there then. */
async function rebuild({ servers, client, name }: Lab, kind: string, round: number): Promise<string> {
  if (kind === 'moving') await servers.on('ops', (ops) => toggleMoves(ops, name, round));
  const id = `${kind}-${round}`;
  await client.start({ select: kind, ...KINDS[kind], rebuild: 'all', onFailure: 'fail' }, { id });
  await client.result(id);
  const { rows } = await servers.on('warehouse', (warehouse) =>
    warehouse.query<{ text: string }>(
      `SELECT concat_ws(' ', (SELECT md5(string_agg(t::text, E'\\n' ORDER BY t::text)) FROM ${name}.${kind} t),
         (SELECT md5(string_agg(concat_ws(' ', starts_at, ends_at, rows, CASE WHEN digest NOT LIKE 'view %' THEN digest END, moved), E'\\n'
            ORDER BY starts_at)) FROM sluice.partitions WHERE project = $1 AND dataset = $2),
         (SELECT count(*) FROM (SELECT FROM audit.published WHERE project = $1 AND dataset = $2 GROUP BY starts_at, epoch HAVING count(*) > 1) x)
           || ' published twice', (SELECT count(*) FROM audit.published WHERE project = $1 AND backfill_id = $3) || ' published') AS text`,
      [name, kind, id],
    ),
  );
  return rows[0]?.text ?? '';
}

/** A seventh of the rows goes from one of the two days to the other, or back. */
async function toggleMoves(ops: pg.Client, name: string, round: number): Promise<void> {
  const [day, other] = round % 2 === 0 ? ['2024-01-08Z', '2024-01-09Z'] : ['2024-01-09Z', '2024-01-08Z'];
  await ops.query(
    `UPDATE ${name}_src.moving SET at = at + ($2::timestamptz - $1::timestamptz)
     WHERE id % 7 = 0 AND at >= $1 AND at < $1::timestamptz + interval '1 day'`,
    [day, other],
  );
}

interface Target {
  readonly point: Point;
  /** The one that is aimed at; undefined until it comes. */
  slice: string | undefined;
  fired: boolean;
}

function aimAt(servers: Servers): Lab['aim'] {
  const targets = new Map<string, Target>();
  servers.proxy.judge = ({ slice, database, from, nth }) => {
    const target = slice === undefined ? undefined : targets.get(slice.split('/')[4] ?? '');
    if (!target || target.fired) return 'pass';
    target.slice ??= slice;
    const { point } = target;
    if (slice !== target.slice || database !== point.database || from !== point.from || nth !== point.nth)
      return 'pass';
    target.fired = true;
    return point.verdict;
  };
  return (kind, point) => {
    const target: Target = { point, slice: undefined, fired: false };
    targets.set(kind, target);
    return { fired: () => target.fired };
  };
}
