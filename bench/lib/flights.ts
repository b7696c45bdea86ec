import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import pg from 'pg';
import { parse } from 'yaml';
import { z } from 'zod';
import { exampleDir } from '../../examples/flights/paths.js';
import type { LoopStatement, Partition } from './loop.js';

export const FLIGHTS_TIMEZONE = 'America/New_York';
export const FLIGHTS_SCHEMA = 'analytics';

/** The five dependent datasets of the comparison, in dependency order. What they read besides is built beforehand. */
export const FIVE_DATASETS = ['flights_clean', 'flights_weather', 'carrier_day', 'carrier_7d', 'route_day'] as const;

const Header = z.object({ time: z.string().nullable().default(null), key: z.array(z.string()) });

/** Transforms of examples/flights, read without sluice: a baseline must not lean on what it is compared with. */
export function flightStatements(names: readonly string[]): readonly LoopStatement[] {
  const folder = join(exampleDir(), 'datasets');
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' });
  return names.map((name) => {
    const file = files.find((path) => basename(path) === `${name}.sql`);
    if (file === undefined) throw new Error(`no ${name}.sql under ${folder}`);
    const [, header, select] = /^\/\*(.*?)\*\/(.*)$/s.exec(readFileSync(join(folder, file), 'utf8')) ?? [];
    if (header === undefined || select === undefined) throw new Error(`${file} does not begin with a block comment`);
    return { name, ...Header.parse(parse(header)), select: select.trim() };
  });
}

/** Every local day of `[from, to)`, as the warehouse's zone data has them: one of 23 h and one of 25 h in a year. */
export async function localDays(
  url: string,
  from: string,
  to: string,
  zone = FLIGHTS_TIMEZONE,
): Promise<readonly Partition[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const { rows } = await client.query<{ start: Date; end: Date }>(
      `SELECT d AT TIME ZONE $3 AS start, (d + interval '1 day') AT TIME ZONE $3 AS end
       FROM generate_series($1::timestamp, $2::timestamp - interval '1 day', interval '1 day') AS d ORDER BY 1`,
      [from, to, zone],
    );
    return rows.map(({ start, end }) => ({ start: start.toISOString(), end: end.toISOString() }));
  } finally {
    await client.end();
  }
}
