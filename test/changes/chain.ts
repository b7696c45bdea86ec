import { random } from '../support/random.js';

/**
 * A made-up chain of datasets and what may change about it between two deployments: an extract `e<n>`, a transform `d<n>` by day or longer, and
 * a whole table `w<n>` over the extract. Everything that decides a row's partition, its key, its columns or its table can be another.
 */
export interface Chain {
  /** How a row's day is told. */
  readonly time: 'at' | 'updated' | 'local' | 'epoch';
  readonly sourceZone: string;
  readonly unit: 's' | 'ms';
  readonly key: readonly string[];
  /** Number of its table; 0 is the one named after the dataset. */
  readonly table: number;
  readonly keep: boolean;
  readonly publish: 'replace' | 'merge';
  readonly grain: 'hour' | 'day' | 'week';
  readonly zone: string;
  readonly dayName: string;
  readonly measure: string;
  readonly filter: boolean;
  readonly dailyKey: boolean;
  readonly dailyTable: number;
  readonly more: boolean;
  /** What its source looks like: names of the value column, and whether it has one more. */
  readonly source: { readonly value: string; readonly note: boolean };
}

const FIRST: Chain = {
  time: 'at',
  sourceZone: 'UTC',
  unit: 's',
  key: ['id'],
  table: 0,
  keep: false,
  publish: 'replace',
  grain: 'day',
  zone: 'UTC',
  dayName: 'day',
  measure: 'sum',
  filter: false,
  dailyKey: true,
  dailyTable: 0,
  more: false,
  source: { value: 'v', note: false },
};

type Change = (chain: Chain, pick: <T>(all: readonly T[]) => T) => Partial<Chain>;
const other = <T>(all: readonly T[], than: T): readonly T[] => all.filter((one) => one !== than);

const CHANGES: Readonly<Record<string, Change>> = {
  time: ({ time }, pick) => ({ time: pick(other(['at', 'updated', 'local', 'epoch'] as const, time)) }),
  sourceZone: ({ sourceZone }, pick) => ({
    time: 'local',
    sourceZone: pick(other(['UTC', 'America/New_York', 'Asia/Kolkata'], sourceZone)),
  }),
  unit: ({ unit }) => ({ time: 'epoch', unit: unit === 's' ? 'ms' : 's' }),
  key: (_, pick) => ({ key: pick([[], ['id'], ['id', 'at'], ['at', 'id'], ['v_or_value', 'id']]) }),
  table: ({ table }) => ({ table: table + 1 }),
  oldTable: ({ table }) => ({ table: Math.max(0, table - 1) }),
  keep: ({ keep }) => ({ keep: !keep }),
  grain: ({ grain }, pick) => ({ grain: pick(other(['hour', 'day', 'week'] as const, grain)) }),
  zone: ({ zone }, pick) => ({ zone: pick(other(['UTC', 'Europe/Berlin', 'America/New_York'], zone)) }),
  dayName: ({ dayName }) => ({ dayName: dayName === 'day' ? 'd' : 'day' }),
  measure: ({ measure }) => ({ measure: measure === 'sum' ? 'max' : 'sum' }),
  filter: ({ filter }) => ({ filter: !filter }),
  dailyKey: ({ dailyKey }) => ({ dailyKey: !dailyKey }),
  dailyTable: ({ dailyTable }) => ({ dailyTable: dailyTable + 1 }),
  more: ({ more }) => ({ more: !more }),
  value: ({ source }) => ({ keep: true, source: { ...source, value: source.value === 'v' ? 'value' : 'v' } }),
  note: ({ source }) => ({ keep: true, source: { ...source, note: !source.note } }),
};

/** A chain by its seed, and it after one to three changes, whose names are given. */
export function chainOf(seed: number): { readonly before: Chain; readonly after: Chain; readonly changes: string[] } {
  const next = random(seed);
  const pick = <T>(all: readonly T[]): T => all[Math.floor(next() * all.length)] as T;
  const change = (chain: Chain, name: string): Chain => ({ ...chain, ...CHANGES[name]?.(chain, pick) });
  const some = (most: number): string[] =>
    Array.from({ length: 1 + Math.floor(next() * most) }, () => pick(Object.keys(CHANGES)));
  const before = some(3).reduce(change, FIRST);
  const changes = some(3);
  return { before, after: changes.reduce(change, before), changes };
}

/** The files of chain number `n`. */
export function filesOf(n: number, chain: Chain): Record<string, string> {
  const { time, sourceZone, unit, key, table, keep, publish, grain, zone, dayName, measure, filter, more, source } =
    chain;
  const how = {
    at: 'time: at',
    updated: 'time: updated',
    local: `time: local, source_timezone: ${sourceZone}`,
    epoch: `time: { column: epoch, unit: ${unit} }`,
  }[time];
  const named = (name: string, number: number): string => (number === 0 ? '' : `table: analytics.${name}_t${number}\n`);
  const keys = key.map((name) => (name === 'v_or_value' ? source.value : name));
  const files = {
    [`datasets/e${n}.yaml`]: `extract: { from: ops, table: public.s${n}, ${how} }
${keys.length === 0 ? '' : `key: [${keys.join(', ')}]\n`}${named(`e${n}`, table)}${keep ? 'on_schema_change: keep\n' : ''}publish: ${publish}
`,
    [`datasets/w${n}.sql`]: `/*\ngrain: none\n*/\nSELECT count(*) AS n, sum(e.${source.value}) AS s FROM e${n} e\n`,
  };
  const day = grain === 'hour' ? 'hour' : grain;
  const column = time === 'updated' ? 'updated' : 'at';
  if (time !== 'at' && time !== 'updated') return files;
  return {
    ...files,
    [`datasets/d${n}.sql`]: `/*
time: ${dayName}
${chain.dailyKey ? `key: [${dayName}]\n` : ''}grain: ${grain}
timezone: ${zone}
${named(`d${n}`, chain.dailyTable)}*/
SELECT date_trunc('${day}', e.${column}, '${zone}') AS ${dayName}, ${measure}(e.${source.value}) AS m${more ? ', count(*) AS n' : ''}
FROM e${n} e WHERE e.${column} >= :start AND e.${column} < :end${filter ? ' AND e.id % 3 <> 0' : ''} GROUP BY 1
`,
  };
}

/** SQL that makes the source of a chain, and that makes it into another. */
export function sourceSql(n: number, { source }: Chain): string {
  return `CREATE TABLE s${n} AS SELECT id, at, at + (id % 7) * interval '5 hours' AS updated, at AT TIME ZONE 'America/New_York' AS local,
      extract(epoch FROM at)::bigint AS epoch, id * 3 % 11 AS ${source.value}${source.note ? `, 'n' || id AS note` : ''}
    FROM (SELECT i AS id, timestamptz '2024-01-01Z' + i * interval '3 hours 10 minutes' AS at FROM generate_series(0, 99) i) AS r;`;
}

export function changeSql(n: number, { source: from }: Chain, { source: to }: Chain): string {
  return [
    from.value === to.value ? '' : `ALTER TABLE s${n} RENAME COLUMN ${from.value} TO ${to.value};`,
    from.note === to.note
      ? ''
      : to.note
        ? `ALTER TABLE s${n} ADD COLUMN note text; UPDATE s${n} SET note = 'n' || id;`
        : `ALTER TABLE s${n} DROP COLUMN note;`,
  ].join('');
}
