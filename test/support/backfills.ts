import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import type pg from 'pg';
import { BackfillClient } from '../../src/client/index.js';
import type { BackfillStatus } from '../../src/contracts/status.js';
import { eventually } from './eventually.js';
import { SLUICE } from './spawned.js';
import type { Stack } from './stack.js';

/** `sluice.yaml` of a test's project: a source and a warehouse on the stack's PostgreSQL. */
export function projectYaml(project: string, { warehouse = 'warehouse', budget = '{ slots: 4 }' } = {}): string {
  return `project: ${project}
connections:
  ops: { type: postgres, url: "embedded:ops", budget: { slots: 8 } }
  warehouse: { type: postgres, url: "embedded:${warehouse}", budget: ${budget} }
warehouse: warehouse
schema: ${project}
defaults: { grain: day, start: 2024-01-01 }
`;
}

/** A transform with one row a day: what it selects beside `day`, after it has slept. */
export function sleeper(name: string, seconds: string, more = '1 AS n', from = ''): Record<string, string> {
  return {
    [`datasets/${name}.sql`]: `/*
time: day
*/
SELECT d AS day, clock_timestamp() AS began, pg_sleep(${seconds})::text AS slept, clock_timestamp() AS ended, ${more}
FROM generate_series(:start, :end - interval '1 day', interval '1 day') d ${from}
`,
  };
}

/** A client for a project of the stack. */
export function clientOf(stack: Stack, project: string): Promise<BackfillClient> {
  return BackfillClient.connect({ address: stack.dev.info().temporalAddress, project });
}

/** Waits until a backfill is in a state. */
export async function reaches(
  client: BackfillClient,
  id: string,
  state: BackfillStatus['state'],
  withinMs = 60_000,
): Promise<BackfillStatus> {
  let last: BackfillStatus | undefined;
  const look = async (): Promise<BackfillStatus | false> => {
    // A query that went to a killed worker times out at the server; the next one goes to another.
    last = await client.status(id).catch(() => last);
    return last?.state === state && last;
  };
  try {
    return await eventually(`${id} is ${state}`, look, withinMs);
  } catch (error) {
    throw new Error(`${id} never was ${state}: ${JSON.stringify(last)}`, { cause: error });
  }
}

/** Ends a process as a power cut would. */
export async function kill9(child: ChildProcess): Promise<void> {
  const exited = once(child, 'exit');
  child.kill('SIGKILL');
  await exited;
}

/** The one number that a query answers. */
export async function numberOf(client: pg.Client, sql: string, values: readonly unknown[] = []): Promise<number> {
  const { rows } = await client.query<{ n: unknown }>(sql, [...values]);
  return Number(rows[0]?.n);
}

/** Batches at work on a database: backends of slices with a statement under way that sleeps. */
export const SLEEPING = `SELECT count(*) AS n FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'`;

/** A worker whose every word is kept. */
export async function loudWorker(
  stack: Stack,
  project: string,
  args: readonly string[] = [],
): Promise<{ child: ChildProcess; said: () => string }> {
  let text = '';
  const child = spawn(process.execPath, [SLUICE, 'worker', '-p', project, '--log-level', 'trace', ...args], {
    env: stack.env,
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
  for (const stream of [child.stdout, child.stderr])
    stream?.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
  const [message] = await Promise.race([
    once(child, 'message'),
    once(child, 'exit').then(([code]) => [`exit ${code}: ${text}`]),
  ]);
  if (message !== 'ready') throw new Error(`worker: ${String(message)}`);
  return { child, said: () => text };
}

/** Most of `[began, ended)` that overlap, among what a table of a {@link sleeper} says of its batches. */
export const OVERLAP = (tables: readonly string[], where = 'true'): string => `
  WITH b AS (${tables.map((table) => `SELECT began, ended FROM ${table} WHERE ${where}`).join(' UNION ALL ')})
  SELECT coalesce(max(c), 0) AS n FROM (SELECT (SELECT count(*) FROM b o WHERE o.began <= b.began AND b.began < o.ended) AS c FROM b) x`;
