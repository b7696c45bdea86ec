/**
 * What asking sources for their columns costs a plan that builds nothing: 10, 100 and 500 extracts of one source, all of them published.
 *
 *     node --import tsx bench/sources.ts [RUNS]
 */
import { pathToFileURL } from 'node:url';
import { lackingShapes } from '../src/planning/shapes.js';
import { readProjectFiles } from '../src/project/files.js';
import { loadProject } from '../src/project/load.js';
import { createPool } from '../src/postgres/pool.js';
import type { KnownShape } from '../src/store/shapes.js';
import type { Stack } from '../test/support/stack.js';
import { withStack } from './lib/engine.js';
import { markdownTable, median } from './lib/figures.js';

const EXTRACTS = [10, 100, 500];
const COLUMNS = 20;
const SHAPE: KnownShape = { shape: 's', columns: [{ name: 'id', type: 'integer' }], time: null };

const HEAD = `project: sources
connections:
  ops: { type: postgres, url: "embedded:sources" }
  warehouse: { type: postgres, url: "embedded:sources" }
warehouse: warehouse
schema: analytics
defaults: { grain: none }
`;

async function measure(stack: Stack, extracts: number, kind: 'table' | 'query', runs: number): Promise<string[]> {
  const name = `${kind}${extracts}`;
  const files = Array.from({ length: extracts }, (_, i): [string, string] => [
    `datasets/d${i}.yaml`,
    `extract: { from: ops, ${kind === 'table' ? `table: public.t${i}` : `query: "SELECT * FROM public.t${i}"`} }\n`,
  ]);
  const folder = stack.project(name, { 'sluice.yaml': HEAD, ...Object.fromEntries(files) });
  const project = await loadProject(await readProjectFiles(folder), { environment: 'default', env: {} });
  const shapes = new Map([...project.datasets.keys()].map((one) => [one, [SHAPE]]));
  const url = await stack.url('sources');
  const pool = createPool(() => Promise.resolve(url), 2);
  const took: number[] = [];
  for (let run = 0; run < runs; run++) {
    const began = performance.now();
    const lacking = await lackingShapes({ project, pool: () => pool }, shapes);
    took.push(performance.now() - began);
    if (lacking.size !== extracts) throw new Error(`${lacking.size} of ${extracts} were told`);
  }
  await pool.close();
  return [String(extracts), kind, median(took).toFixed(0)];
}

async function main([runs = '7']: readonly string[]): Promise<void> {
  await withStack(async (stack) => {
    const client = await stack.connect('sources');
    const columns = Array.from(
      { length: COLUMNS },
      (_, i) => `c${i} ${['int', 'text', 'jsonb', 'numeric(8,2)'][i % 4]}`,
    );
    for (let i = 0; i < Math.max(...EXTRACTS); i++) await client.query(`CREATE TABLE t${i} (${columns.join(', ')})`);
    const rows: string[][] = [];
    for (const kind of ['table', 'query'] as const)
      for (const extracts of EXTRACTS) rows.push(await measure(stack, extracts, kind, Number(runs)));
    console.log(markdownTable(['extracts', 'of a', 'asked for their columns, ms (median)'], rows));
  });
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) await main(process.argv.slice(2));
