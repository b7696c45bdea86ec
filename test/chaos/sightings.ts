import type { Servers } from './servers.js';

/** Rare states, by how often a run came to them. */
export type Sightings = Readonly<Record<string, number>>;

/** What a campaign must have come to, each at least once: a state that is never reached is a state that was never tested. */
export const WANTED = [
  'fenced',
  'taken over by a later attempt',
  'found published by an attempt before',
  'bisected',
  'failed for a while, and tried again',
  'through the staging table',
  'held, and tried again',
] as const;

/** Reads them from what the workers logged and the warehouse kept. */
export async function sightings(servers: Servers, project: string, said: string, holds: number): Promise<Sightings> {
  const lines = (pattern: RegExp): number => said.split('\n').filter((line) => pattern.test(line)).length;
  const failures = await servers.on('warehouse', async (warehouse) => {
    const { rows } = await warehouse.query<{ bisected: number; transient: number }>(
      `SELECT count(*) FILTER (WHERE ends_at - starts_at > interval '1 day' AND code = 'invalid_text_representation')::int AS bisected,
         count(*) FILTER (WHERE code <> 'invalid_text_representation')::int AS transient
       FROM sluice.failures WHERE project = $1`,
      [project],
    );
    return rows[0] ?? { bisected: 0, transient: 0 };
  });
  const seen: Record<(typeof WANTED)[number], number> = {
    fenced: lines(/"msg":"fenced/),
    'taken over by a later attempt': lines(/"attempt":[2-9]/),
    'found published by an attempt before': lines(/"msg":"published before/),
    bisected: failures.bisected,
    'failed for a while, and tried again': failures.transient,
    'through the staging table': lines(/"msg":"a key is taken/),
    'held, and tried again': holds,
  };
  return seen;
}

export function add(total: Record<string, number>, seen: Sightings): void {
  for (const [name, count] of Object.entries(seen)) total[name] = (total[name] ?? 0) + count;
}
