/**
 * Many backfills at once, each of a dataset of its own, by one worker.
 *
 *     node --import tsx bench/crowd.ts [BACKFILLS] [DAYS] [SECONDS]
 */
import { pathToFileURL } from 'node:url';
import { setTimeout as sleep } from 'node:timers/promises';
import { isAtRest } from '../src/contracts/status.js';
import { clientOf } from '../test/support/backfills.js';
import type { Stack } from '../test/support/stack.js';
import { peakMb, withStack } from './lib/engine.js';
import { histories, LOOK_MS, queryFigures, report, sizeYaml, timed } from './lib/watch.js';

const FROM = '2020-01-01';
const name = (index: number): string => `d${String(index).padStart(3, '0')}`;

function projectOf(backfills: number): Record<string, string> {
  const sql = "SELECT d AS at, 1 AS n FROM generate_series(:start, :end - interval '1 day', interval '1 day') d";
  return {
    'sluice.yaml': sizeYaml('day', FROM),
    ...Object.fromEntries(
      Array.from({ length: backfills }, (_, i) => [`datasets/${name(i)}.sql`, `/*\ntime: at\n*/\n${sql}\n`]),
    ),
  };
}

async function bench(stack: Stack, words: readonly string[]): Promise<void> {
  const [backfills = 100, days = 365, giveUp = 600] = words.map(Number);
  const project = stack.project('size', projectOf(backfills));
  await stack.url('size');
  const worker = await stack.worker(project);
  const client = await clientOf(stack, 'size');
  const to = new Date(Date.parse(`${FROM}T00:00:00Z`) + days * 86_400_000).toISOString();
  const ids = Array.from({ length: backfills }, (_, i) => `b${i}`);
  const from = performance.now();
  const started = await timed(() =>
    Promise.all(ids.map((id, i) => client.start({ from: FROM, to, select: [name(i)] }, { id }))),
  );
  const queries: number[] = [];
  const open = new Set(ids);
  let [unanswered, atOnce] = [0, 0];
  while (open.size > 0 && performance.now() < from + giveUp * 1000) {
    let running = 0;
    for (const id of open) {
      const { value, ms } = await timed(() => client.status(id).catch(() => undefined));
      queries.push(ms);
      if (!value) unanswered++;
      else if (isAtRest(value)) {
        open.delete(id);
        if (value.state !== 'completed') console.log(`${id}: ${value.state}, ${value.reason}`);
      } else if (value.state === 'running') running++;
    }
    atOnce = Math.max(atOnce, running);
    await sleep(LOOK_MS);
  }
  report('backfills', {
    ...{ backfills, open: open.size, atOnce, startMs: started.ms, seconds: (performance.now() - from) / 1000 },
    ...{ partitions: backfills * days, peakMb: peakMb(worker.pid ?? 0) },
    ...queryFigures(queries),
    unanswered,
  });
  await client.close();
  for (const id of [ids[0], ids.at(-1)]) if (id !== undefined) await histories(stack, id);
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href)
  await withStack((stack) => bench(stack, process.argv.slice(2)));
