/** What the benches of size look at while backfills run, and how they tell it. */
import { setTimeout as sleep } from 'node:timers/promises';
import { Client, Connection } from '@temporalio/client';
import type { BackfillClient } from '../../src/client/index.js';
import { isAtRest, type BackfillStatus } from '../../src/contracts/status.js';
import { quantile } from '../../src/core/throttle/quantile.js';
import type { Stack } from '../../test/support/stack.js';
import { residentMb } from './engine.js';
import { median } from './figures.js';
import { weigh } from './histories.js';

/** The `sluice.yaml` of these benches. @param more - other connections */
export function sizeYaml(grain: 'hour' | 'day', start: string, more = ''): string {
  return `project: size
connections:
${more}  warehouse: { type: postgres, url: "embedded:size", budget: { slots: 4 } }
warehouse: warehouse
schema: size
defaults: { grain: ${grain}, start: ${start} }
`;
}

/** Between two questions. */
export const LOOK_MS = 200;

export interface Watched {
  readonly status: BackfillStatus;
  /** ms of each query while it ran. */
  readonly queries: readonly number[];
  /** Queries that nobody answered in time. */
  readonly unanswered: number;
  /** Bytes of the largest status document, all parts together. */
  readonly documentBytes: number;
  readonly samples: readonly Sample[];
}

/** What the worker held when so many partitions were done. */
interface Sample {
  readonly seconds: number;
  readonly done: number;
  readonly mb: number;
}

/** Asks for the status, over and over, until the backfill has ended or is held; pauses and resumes it on the way. */
export async function watch(
  client: BackfillClient,
  id: string,
  { pauses, pid, giveUpMs }: { readonly pauses: number; readonly pid: number; readonly giveUpMs: number },
): Promise<Watched> {
  const queries: number[] = [];
  let documentBytes = 0;
  let [paused, unanswered] = [0, 0];
  const from = performance.now();
  const samples: Sample[] = [];
  for (;;) {
    const { value: answer, ms } = await timed(() => client.status(id).catch((error: unknown) => error));
    queries.push(ms);
    if (!isStatus(answer)) {
      unanswered++;
      if (performance.now() > from + giveUpMs) throw answer;
      continue;
    }
    const status = answer;
    documentBytes = Math.max(documentBytes, Buffer.byteLength(JSON.stringify(status)));
    const { done, total } = status.partitions;
    samples.push({ seconds: (performance.now() - from) / 1000, done, mb: residentMb(pid) });
    if (isAtRest(status) || performance.now() > from + giveUpMs)
      return { status, queries, unanswered, documentBytes, samples };
    if (status.state === 'running' && paused < pauses && done >= (total * (paused + 1)) / (pauses + 2)) {
      paused++;
      await client.pause(id);
      await client.resume(id);
    }
    await sleep(LOOK_MS);
  }
}

/** How long the answers took, in ms. */
export function queryFigures(queries: readonly number[]): Record<string, number> {
  return {
    queryMs: median(queries),
    queryMs95: quantile(queries, 0.95),
    queryMsMost: queries.reduce((most, one) => Math.max(most, one), 0),
  };
}

function isStatus(answer: unknown): answer is BackfillStatus {
  return typeof answer === 'object' && answer !== null && 'partitions' in answer;
}

export async function histories(stack: Stack, id: string): Promise<void> {
  // A page of a history is larger than gRPC's usual 4 MB where very many partitions fail.
  const connection = await Connection.connect({
    address: stack.dev.info().temporalAddress,
    channelArgs: { 'grpc.max_receive_message_length': -1 },
  });
  report('histories', { ...(await weigh(new Client({ connection }), `backfill/size/${id}`)) });
  await connection.close();
}

export async function demand(stack: Stack, words: readonly string[]): Promise<void> {
  const ran = await stack.sluice(words);
  if (ran.code !== 0) throw new Error(`sluice ${words.join(' ')} exits with ${ran.code}: ${ran.err}${ran.out}`);
}

export async function timed<T>(work: () => Promise<T>): Promise<{ value: T; ms: number }> {
  const began = performance.now();
  const value = await work();
  return { value, ms: performance.now() - began };
}

export function report(what: string, figures: Readonly<Record<string, number | string>>): void {
  const words = Object.entries(figures).map(
    ([key, value]) => `${key} ${typeof value === 'number' ? Math.round(value * 10) / 10 : value}`,
  );
  console.log(`${what}: ${words.join(', ')}`);
}
