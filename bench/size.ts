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
import { clientOf } from '../test/support/backfills.js';
import type { Stack } from '../test/support/stack.js';
import { peakMb, withStack } from './lib/engine.js';
import { demand, histories, queryFigures, report, sizeYaml, timed, watch } from './lib/watch.js';

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
    'sluice.yaml': sizeYaml('hour', '2014-01-01'),
    ...Object.fromEntries(
      Array.from({ length: datasets }, (_, i) => [`datasets/${name(i)}.sql`, `/*\ntime: at\n*/\n${sql(i)}\n`]),
    ),
  };
}

/** Points of the curve of memory that are told. */
const SAMPLES = 20;

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
  const client = await clientOf(stack, 'size');
  const { status, queries, unanswered, documentBytes, samples } = await watch(client, 'b', {
    pauses: 3,
    pid: worker.pid ?? 0,
    giveUpMs: Number(giveUp) * 1000,
  });
  await client.close();
  report('backfill', {
    state: status.state,
    partitions: status.partitions.total,
    done: status.partitions.done,
    seconds: (performance.now() - began) / 1000,
    idleMb: idle,
    peakMb: peakMb(worker.pid ?? 0),
    ...queryFigures(queries),
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

async function main(words: readonly string[]): Promise<void> {
  await withStack((stack) => bench(stack, words));
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) await main(process.argv.slice(2));
