/**
 * Pipelining: four datasets in a chain, 60 partitions each, 100 ms a partition, 4 slots: wall time of the whole command against
 * max(critical path, work / slots); what a barrier per dataset would take is printed beside.
 *
 *     node --import tsx bench/pipelining.ts [RUNS]
 */
import { pathToFileURL } from 'node:url';
import type { Stack } from '../test/support/stack.js';
import { backfill, withStack } from './lib/engine.js';
import { markdownTable, median } from './lib/figures.js';

const PARTITIONS = 60;
const PARTITION_S = 0.1;
const SLOTS = 4;
const CHAIN = ['one', 'two', 'three', 'four'] as const;

/** One link: sleeps, and passes its input on. */
function link(index: number): string {
  const input = CHAIN[index - 1];
  const from = input === undefined ? '' : ` FROM ${input} i WHERE i.day >= :start AND i.day < :end`;
  return `/*\ntime: day\nkey: [day]\n*/\nSELECT :start AS day, :end AS until, pg_sleep(${PARTITION_S})::text AS slept${from}\n`;
}

const PROJECT = {
  'sluice.yaml': `
project: chain
connections:
  warehouse: { type: postgres, url: "embedded:warehouse", budget: { slots: ${SLOTS} } }
warehouse: warehouse
schema: analytics
defaults: { grain: day, start: 2024-01-01 }
`,
  ...Object.fromEntries(CHAIN.map((name, index) => [`datasets/${name}.sql`, link(index)])),
};

async function bench(stack: Stack, runs: number): Promise<void> {
  const project = stack.project('chain', PROJECT);
  await stack.worker(project);
  const work = (CHAIN.length * PARTITIONS * PARTITION_S) / SLOTS;
  const bound = Math.max(CHAIN.length * PARTITION_S, work);
  // With a barrier each dataset would round up to whole rounds of slots.
  const barrier = CHAIN.length * Math.ceil(PARTITIONS / SLOTS) * PARTITION_S;
  const lines: string[][] = [];
  const ratios: number[] = [];
  for (let run = 1; run <= runs; run++) {
    const { seconds, status } = await backfill(stack, project, [
      '--from',
      '2024-01-01',
      '--to',
      '2024-03-01',
      '--rebuild',
      'all',
    ]);
    // The backfill's own time; the command around it starts Node and plans, once, whatever the size.
    const own = (Date.parse(status.endedAt ?? '') - Date.parse(status.startedAt)) / 1000;
    ratios.push(own / bound);
    lines.push([
      String(run),
      own.toFixed(2),
      seconds.toFixed(2),
      bound.toFixed(2),
      barrier.toFixed(2),
      (own / bound).toFixed(2),
    ]);
  }
  console.log(
    markdownTable(
      ['run', 'backfill, s', 'whole command, s', 'bound, s', 'barriers without any overhead, s', 'ratio to the bound'],
      lines,
    ),
  );
  console.log(`median ratio ${median(ratios).toFixed(2)}`);
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  await withStack((stack) => bench(stack, Number(process.argv[2] ?? '5')));
}
