/**
 * Critical path first against first come, on random graphs: the same backfills on a Temporal server whose queues serve by weight, and on one
 * whose queues do not, one after the other, so that both meet the same machine. Statements only sleep, so that cores do not matter.
 *
 *     node --import tsx bench/critical-path.ts [GRAPHS]
 */
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { findTemporal } from '../src/dev/temporal-source.js';
import { random } from '../test/support/random.js';
import type { Stack } from '../test/support/stack.js';
import { backfill, withStack } from './lib/engine.js';
import { markdownTable, median } from './lib/figures.js';

const DATASETS = 10;
const SLOTS = 3;
/** Twenty-four days: runs of 3 s differed by more than the order gains. */
const RANGE = ['--from', '2024-01-01', '--to', '2024-01-25', '--rebuild', 'all'];

/** A graph whose datasets read up to two earlier ones, and cost 10 to 310 ms a partition. Half of them read nothing, so that there is a choice. */
function projectOf(seed: number): Record<string, string> {
  const next = random(seed);
  const files = Array.from({ length: DATASETS }, (_, i) => {
    const reads = new Set<number>();
    if (i > 0 && next() < 0.6) for (let n = 0; n < 2; n++) reads.add(Math.floor(next() * i));
    const slept = `SELECT :start AS day, :end AS until, pg_sleep(${(0.01 + 0.3 * next() ** 3).toFixed(3)})::text AS slept`;
    const inputs = [...reads].map(
      (input) => `(SELECT count(*) FROM d${input} i WHERE i.day >= :start AND i.day < :end)`,
    );
    const where = inputs.length > 0 ? `\nWHERE ${inputs.map((one) => `${one} >= 0`).join(' AND ')}` : '';
    return [`datasets/d${i}.sql`, `/*\ntime: day\ncoalesce: never\n*/\n${slept}${where}\n`];
  });
  return {
    'sluice.yaml': `project: graph_${seed}
connections:
  warehouse: { type: postgres, url: "embedded:graph_${seed}", budget: { slots: ${SLOTS} } }
warehouse: warehouse
schema: analytics
defaults: { grain: day, start: 2024-01-01 }
`,
    ...(Object.fromEntries(files) as Record<string, string>),
  };
}

/** The backfill's own seconds, its costs known from a run before. */
async function secondsOf(stack: Stack, seed: number): Promise<number> {
  const project = stack.project(`graph_${seed}`, projectOf(seed));
  const worker = await stack.worker(project);
  await backfill(stack, project, RANGE);
  const { status } = await backfill(stack, project, RANGE);
  worker.kill();
  return (Date.parse(status.endedAt ?? '') - Date.parse(status.startedAt)) / 1000;
}

/** Runs `work` where `temporal` on PATH starts its server without weights. */
async function withoutWeights<T>(work: () => Promise<T>): Promise<T> {
  const path = await findTemporal({ env: process.env, log: () => undefined });
  const folder = mkdtempSync(join(tmpdir(), 'sluice-bench-'));
  const wrapper = join(folder, 'temporal');
  const off = '--dynamic-config-value matching.enableFairness=false';
  writeFileSync(
    wrapper,
    `#!/bin/sh\ncase "$2" in start-dev) exec '${path}' "$@" ${off};; *) exec '${path}' "$@";; esac\n`,
  );
  chmodSync(wrapper, 0o755);
  const before = process.env['PATH'] ?? '';
  process.env['PATH'] = `${folder}${delimiter}${before}`;
  try {
    return await work();
  } finally {
    process.env['PATH'] = before;
    rmSync(folder, { recursive: true });
  }
}

async function measure(graphs: number): Promise<(readonly [first: number, plain: number])[]> {
  const seconds: [number, number][] = [];
  await withStack(async (weighted) => {
    await withoutWeights(() =>
      withStack(async (plain) => {
        for (let seed = 1; seed <= graphs; seed++) {
          // Whoever begins changes, too.
          const arms = seed % 2 === 0 ? [weighted, plain] : [plain, weighted];
          const took = new Map<Stack, number>();
          for (const stack of arms) took.set(stack, await secondsOf(stack, seed));
          seconds.push([took.get(weighted) ?? NaN, took.get(plain) ?? NaN]);
          console.error(
            `graph ${seed}: ${seconds
              .at(-1)
              ?.map((one) => one.toFixed(2))
              .join(' s, first come ')} s`,
          );
        }
      }),
    );
  });
  return seconds;
}

async function main([graphs = '20']: readonly string[]): Promise<void> {
  const seconds = await measure(Number(graphs));
  const ratios = seconds.map(([first, plain]) => first / plain);
  console.log(
    markdownTable(
      ['graph', 'critical path first, s', 'first come, s', 'ratio'],
      ratios.map((ratio, i) => [
        String(i + 1),
        seconds[i]?.[0].toFixed(2) ?? '',
        seconds[i]?.[1].toFixed(2) ?? '',
        ratio.toFixed(2),
      ]),
    ),
  );
  const mean = ratios.reduce((sum, one) => sum + one, 0) / ratios.length;
  console.log(`mean ${mean.toFixed(3)}, median ${median(ratios).toFixed(3)}, worst ${Math.max(...ratios).toFixed(2)}`);
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) await main(process.argv.slice(2));
