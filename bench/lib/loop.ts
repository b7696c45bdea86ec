import { openPsql } from './psql.js';

/** A transform as the loop runs it. */
export interface LoopStatement {
  readonly name: string;
  /** Output column that holds the partition's time; null for `grain: none`. */
  readonly time: string | null;
  readonly key: readonly string[];
  /** SELECT with `:start` and `:end`, which psql replaces as sluice does. */
  readonly select: string;
}

/** Half-open, as ISO 8601 with a zone. */
export interface Partition {
  readonly start: string;
  readonly end: string;
}

export interface LoopOptions {
  readonly warehouseUrl: string;
  /** In dependency order: each reads only what stands before it, or what is built already. */
  readonly statements: readonly LoopStatement[];
  readonly partitions: readonly Partition[];
  /** Schema of the targets; they must exist (`createTargets`). */
  readonly schema: string;
  /** Schema of everything that the statements read and do not build. */
  readonly upstreamSchema: string;
  /** Zone of the sessions, as sluice sets it for the dataset. */
  readonly timezone: string;
  readonly connections: number;
}

/**
 * The bare loop: the statements that sluice runs and nothing else. A dataset at a time, its partitions dealt round robin
 * to `connections` psql processes; a partition is one transaction of DELETE and INSERT … SELECT.
 *
 * @returns wall time in seconds, connecting left out, and the number of transactions.
 */
export async function psqlLoop(options: LoopOptions): Promise<{ seconds: number; partitions: number }> {
  const { warehouseUrl, statements, partitions, connections } = options;
  const sessions = Array.from({ length: connections }, () => openPsql(warehouseUrl));
  try {
    await Promise.all(sessions.map((session) => session.run(preamble(options))));
    const began = performance.now();
    for (const statement of statements) {
      const scripts = sessions.map((_, dealt) =>
        partitions
          .filter((_, index) => index % connections === dealt)
          .map((partition) => transaction(options.schema, statement, partition))
          .join(''),
      );
      await Promise.all(sessions.map((session, index) => session.run(scripts[index] ?? '')));
    }
    const seconds = (performance.now() - began) / 1000;
    return { seconds, partitions: statements.length * partitions.length };
  } finally {
    await Promise.allSettled(sessions.map((session) => session.close()));
  }
}

/** Makes (anew) empty targets with the two indexes that sluice gives them: on `time`, and unique on `key`. */
export async function createTargets(options: Omit<LoopOptions, 'partitions' | 'connections'>): Promise<void> {
  const { schema, statements } = options;
  const session = openPsql(options.warehouseUrl);
  try {
    await session.run(`SET client_min_messages = warning;
      DROP SCHEMA IF EXISTS ${schema} CASCADE;
      CREATE SCHEMA ${schema};
      ${preamble(options)}
      \\set start NULL::timestamptz
      \\set end NULL::timestamptz`);
    for (const { name, time, key, select } of statements) {
      await session.run(`CREATE TABLE ${schema}.${name} AS ${select} WITH NO DATA;
        ${time === null ? '' : `CREATE INDEX ON ${schema}.${name} (${time});`}
        CREATE UNIQUE INDEX ON ${schema}.${name} (${key.join(', ')});`);
    }
  } finally {
    await session.close();
  }
}

function preamble({
  schema,
  upstreamSchema,
  timezone,
}: Pick<LoopOptions, 'schema' | 'upstreamSchema' | 'timezone'>): string {
  return `SET search_path = ${schema}, ${upstreamSchema}; SET TimeZone = '${timezone}';`;
}

function transaction(schema: string, { name, time, select }: LoopStatement, { start, end }: Partition): string {
  return `
\\set start 'TIMESTAMPTZ ''${start}'''
\\set end 'TIMESTAMPTZ ''${end}'''
BEGIN ISOLATION LEVEL REPEATABLE READ;
DELETE FROM ${schema}.${name}${time === null ? '' : ` WHERE ${time} >= :start AND ${time} < :end`};
INSERT INTO ${schema}.${name} ${select};
COMMIT;
`;
}
