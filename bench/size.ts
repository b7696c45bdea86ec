/**
 * What grows with size: memory of the worker, histories, payloads and the answer to `status`, in one backfill through the command, a worker,
 * Temporal and PostgreSQL.
 *
 *     node --import tsx bench/size.ts DATASETS HOURS [SECONDS]
 *
 * Chains of five hourly datasets with one row an hour, paused and resumed three times on the way. Given up after SECONDS (210), with what
 * there is.
 */
import { pathToFileURL } from 'node:url';
import { setTimeout as sleep } from 'node:timers/promises';
import { ENDED, type BackfillStatus } from '../src/contracts/status.js';
import { clientOf } from '../test/support/backfills.js';
import type { Stack } from '../test/support/stack.js';
import { peakMb, residentMb, withStack } from './lib/engine.js';
import { median } from './lib/figures.js';
import { weigh } from './lib/histories.js';
import { Client, Connection } from '@temporalio/client';

const FROM = Date.parse('2014-01-01T00:00:00Z');
const HOUR = 3_600_000;
/** Datasets of a chain: each reads the one before it. */
const CHAIN = 5;

const name = (index: number): string => `d${String(index).padStart(4, '0')}`;

function projectOf(datasets: number): Record<string, string> {
  const sql = (index: number): string =>
    index % CHAIN === 0
      ? `SELECT d AS at, 1 AS n FROM generate_series(:start, :end - interval '1 hour', interval '1 hour') d`
      : `SELECT at, n FROM ${name(index - 1)} WHERE at >= :start AND at < :end`;
  return {
    'sluice.yaml': `project: size
connections:
  warehouse: { type: postgres, url: "embedded:size", budget: { slots: 4 } }
warehouse: warehouse
schema: size
defaults: { grain: hour, start: 2014-01-01 }
`,
    ...Object.fromEntries(
      Array.from({ length: datasets }, (_, i) => [`datasets/${name(i)}.sql`, `/*\ntime: at\n*/\n${sql(i)}\n`]),
    ),
  };
}

interface Watched {
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

/** Points of the curve of memory that are told. */
const SAMPLES = 20;

/** Asks for the status, over and over, until the backfill has ended or is held; pauses and resumes it on the way. */
async function watch(
  stack: Stack,
  id: string,
  { pauses, pid, giveUpMs }: { readonly pauses: number; readonly pid: number; readonly giveUpMs: number },
): Promise<Watched> {
  const client = await clientOf(stack, 'size');
  const queries: number[] = [];
  let documentBytes = 0;
  let [paused, unanswered] = [0, 0];
  const from = performance.now();
  const samples: Sample[] = [];
  try {
    for (;;) {
      const began = performance.now();
      const answer = await client.status(id).catch((error: unknown) => error);
      queries.push(performance.now() - began);
      if (!isStatus(answer)) {
        unanswered++;
        if (performance.now() > from + giveUpMs) throw answer;
        continue;
      }
      const status = answer;
      documentBytes = Math.max(documentBytes, Buffer.byteLength(JSON.stringify(status)));
      const { done, total } = status.partitions;
      samples.push({ seconds: (performance.now() - from) / 1000, done, mb: residentMb(pid) });
      if (ENDED.includes(status.state) || status.state === 'held' || performance.now() > from + giveUpMs)
        return { status, queries, unanswered, documentBytes, samples };
      if (status.state === 'running' && paused < pauses && done >= (total * (paused + 1)) / (pauses + 2)) {
        paused++;
        await client.pause(id);
        await client.resume(id);
      }
      await sleep(200);
    }
  } finally {
    await client.close();
  }
}

function isStatus(answer: unknown): answer is BackfillStatus {
  return typeof answer === 'object' && answer !== null && 'partitions' in answer;
}

async function bench(stack: Stack, [datasets = '5', hours = '880', giveUp = '210']: readonly string[]): Promise<void> {
  const project = stack.project('size', projectOf(Number(datasets)));
  await stack.url('size');
  const worker = await stack.worker(project);
  const to = new Date(FROM + Number(hours) * HOUR).toISOString();
  const range = ['-p', project, '--from', '2014-01-01', '--to', to];
  const planned = await timed(() => stack.sluice(['plan', ...range, '--json']));
  report('plan', { seconds: planned.ms / 1000, bytes: planned.value.out.length });
  const idle = peakMb(worker.pid ?? 0);
  const began = performance.now();
  await demand(stack, ['backfill', ...range, '--id', 'b']);
  const { status, queries, unanswered, documentBytes, samples } = await watch(stack, 'b', {
    pauses: 3,
    pid: worker.pid ?? 0,
    giveUpMs: Number(giveUp) * 1000,
  });
  report('backfill', {
    state: status.state,
    partitions: status.partitions.total,
    done: status.partitions.done,
    seconds: (performance.now() - began) / 1000,
    idleMb: idle,
    peakMb: peakMb(worker.pid ?? 0),
    queryMs: median(queries),
    queryMs95: [...queries].sort((a, b) => a - b)[Math.floor(queries.length * 0.95)] ?? 0,
    queryMsMost: queries.reduce((most, one) => Math.max(most, one), 0),
    unanswered,
    documentBytes,
  });
  for (let i = 1; i <= SAMPLES; i++) {
    const sample = samples[Math.ceil((i * samples.length) / SAMPLES) - 1];
    if (sample) report('memory', { ...sample });
  }
  const shown = await timed(() => stack.sluice(['status', 'b', '-p', project, '--json']));
  report('status', { code: shown.value.code, ms: shown.ms, bytes: shown.value.out.length });
  await histories(stack, 'b');
}

async function histories(stack: Stack, id: string): Promise<void> {
  const connection = await Connection.connect({ address: stack.dev.info().temporalAddress });
  report('histories', { ...(await weigh(new Client({ connection }), `backfill/size/${id}`)) });
  await connection.close();
}

async function demand(stack: Stack, words: readonly string[]): Promise<void> {
  const ran = await stack.sluice(words);
  if (ran.code !== 0) throw new Error(`sluice ${words.join(' ')} exits with ${ran.code}: ${ran.err}${ran.out}`);
}

async function timed<T>(work: () => Promise<T>): Promise<{ value: T; ms: number }> {
  const began = performance.now();
  const value = await work();
  return { value, ms: performance.now() - began };
}

function report(what: string, figures: Readonly<Record<string, number | string>>): void {
  const words = Object.entries(figures).map(
    ([key, value]) => `${key} ${typeof value === 'number' ? Math.round(value * 10) / 10 : value}`,
  );
  console.log(`${what}: ${words.join(', ')}`);
}

async function main(words: readonly string[]): Promise<void> {
  await withStack((stack) => bench(stack, words));
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) await main(process.argv.slice(2));
