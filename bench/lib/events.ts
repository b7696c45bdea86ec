import pg from 'pg';

/** Six columns of the types that real fact tables have. */
const COLUMNS = `id bigint NOT NULL, happened_at timestamptz NOT NULL, customer integer NOT NULL, kind text NOT NULL,
  amount numeric(12,2) NOT NULL, note text`;

/** UTC; 100 days, so that 5 M rows make partitions of 50,000. */
export const EVENTS_FROM = '2024-01-01';
export const EVENTS_TO = '2024-04-10';

export interface EventsOptions {
  readonly url: string;
  /** Written as in SQL; dropped and made anew. */
  readonly table: string;
  /** Spread evenly over `[EVENTS_FROM, EVENTS_TO)`. */
  readonly rows: number;
}

/** A table of made-up events with an index on `happened_at`: the same rows every time, and none at random. */
export async function generateEvents({ url, table, rows }: EventsOptions): Promise<void> {
  await withClient(url, async (client) => {
    await client.query(`DROP TABLE IF EXISTS ${table}`);
    await client.query(`CREATE TABLE ${table} (${COLUMNS})`);
    await client.query(
      `INSERT INTO ${table}
       SELECT i, timestamptz '${EVENTS_FROM} 00:00+00'
                + i * ((timestamptz '${EVENTS_TO} 00:00+00' - timestamptz '${EVENTS_FROM} 00:00+00') / $1::double precision),
              (i * 7919 % 100003)::integer, (ARRAY['view', 'click', 'order', 'refund'])[1 + i % 4],
              (i * 104729 % 1000000) / 100.0, CASE WHEN i % 3 = 0 THEN NULL ELSE 'event number ' || i END
       FROM generate_series(0, $1::bigint - 1) AS i`,
      [rows],
    );
    await client.query(`CREATE INDEX ON ${table} (happened_at)`);
    // Hint bits and statistics now: the first reader of a fresh table would pay for the writer's work.
    await client.query(`VACUUM (ANALYZE) ${table}`);
  });
}

/** The empty target `<schema>.<name>` of an extract of those rows, with the indexes that sluice gives it. */
export async function createEventsTarget(url: string, table: string): Promise<void> {
  await withClient(url, async (client) => {
    const [schema] = table.split('.');
    await client.query(`SET client_min_messages = warning; CREATE SCHEMA IF NOT EXISTS ${schema ?? 'public'}`);
    await client.query(`DROP TABLE IF EXISTS ${table}`);
    await client.query(`CREATE TABLE ${table} (${COLUMNS})`);
    await client.query(`CREATE INDEX ON ${table} (happened_at)`);
    await client.query(`CREATE UNIQUE INDEX ON ${table} (id)`);
  });
}

async function withClient(url: string, work: (client: pg.Client) => Promise<void>): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await work(client);
  } finally {
    await client.end();
  }
}
