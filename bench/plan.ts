/**
 * `plan` of 200 datasets × 10 years of days: wall time of the whole command and its peak memory, with an empty ledger, with a full one of
 * 730,000 rows, and with one where the definition of everything has changed.
 *
 *     node --import tsx bench/plan.ts [RUNS]
 */
import { pathToFileURL } from 'node:url';
import { PlanDocument } from '../src/contracts/plan.js';
import { readProjectFiles } from '../src/project/files.js';
import { loadProject } from '../src/project/load.js';
import type { Stack } from '../test/support/stack.js';
import { withStack } from './lib/engine.js';
import { markdownTable, median } from './lib/figures.js';

const DATASETS = 200;
const [FROM, TO] = ['2014-01-01', '2024-01-01'];
/** Each reads two of the ten before it: 20 layers, as deep as a warehouse's. */
const READS = [10, 7];

const name = (index: number): string => `d${String(index).padStart(3, '0')}`;

function sqlOf(index: number): string {
  const inputs = READS.map((back) => index - back).filter((input) => input >= 0);
  const series = `SELECT d AS day, ${index} AS n FROM generate_series(:start, :end - interval '1 day', interval '1 day') d`;
  const parts = inputs.map((input) => `SELECT i.day, i.n FROM ${name(input)} i WHERE i.day >= :start AND i.day < :end`);
  return `/*\ntime: day\n*/\n${[...(parts.length > 0 ? parts : [series])].join('\nUNION ALL\n')}\n`;
}

const PROJECT = {
  'sluice.yaml': `project: wide
connections:
  warehouse: { type: postgres, url: "embedded:wide", budget: { slots: 4 } }
warehouse: warehouse
schema: analytics
defaults: { grain: day, start: ${FROM} }
`,
  ...Object.fromEntries(
    Array.from({ length: DATASETS }, (_, i) => [`datasets/l${Math.floor(i / 10)}/${name(i)}.sql`, sqlOf(i)]),
  ),
};

/** Tells the peak memory of a node process on its stderr when it ends. */
const TELL_PEAK = `--import=data:text/javascript,process.on('exit',()=>process.stderr.write('peak='+process.resourceUsage().maxRSS))`;

async function plan(stack: Stack, project: string, build: number): Promise<{ seconds: number; peakMb: number }> {
  const began = performance.now();
  const ran = await stack.sluice(['plan', '-p', project, '--from', FROM, '--to', TO, '--rebuild', 'stale', '--json'], {
    env: { NODE_OPTIONS: TELL_PEAK },
  });
  const seconds = (performance.now() - began) / 1000;
  if (ran.code !== 0) throw new Error(ran.err + ran.out);
  const planned = PlanDocument.parse(ran.json()).datasets.reduce((sum, one) => sum + one.build, 0);
  if (planned !== build) throw new Error(`${planned} partitions are planned instead of ${build}`);
  return { seconds, peakMb: Number(/peak=(\d+)/.exec(ran.err)?.[1]) / 1024 };
}

/** As if every partition had been published, dataset after dataset, in transactions that all have ended. */
async function fillLedger(stack: Stack, versions: ReadonlyMap<string, string>): Promise<void> {
  const client = await stack.connect('wide');
  await client.query(
    `INSERT INTO sluice.partitions (project, environment, dataset, starts_at, ends_at, rows, digest, backfill_id, version, epoch, first_xid, changed_xid, xid, snapshot)
     SELECT 'wide', 'default', v.dataset, d, d + interval '1 day', 1, 'x', 'bench', v.version, 1,
       pg_current_xact_id(), pg_current_xact_id(), pg_current_xact_id(), pg_current_snapshot()
     FROM unnest($1::text[], $2::text[]) AS v(dataset, version),
       generate_series($3::timestamptz, $4::timestamptz - interval '1 day', interval '1 day') d`,
    [[...versions.keys()], [...versions.values()], `${FROM}Z`, `${TO}Z`],
  );
  // A publish sees what its upstreams published before it: here, all in one transaction that is seen from now on.
  await client.query(`UPDATE sluice.partitions SET snapshot = pg_current_snapshot()`);
  await client.query('VACUUM ANALYZE sluice.partitions');
}

async function bench(stack: Stack, runs: number): Promise<void> {
  const project = stack.project('wide', PROJECT);
  await stack.url('wide');
  const all = (DATASETS * (Date.parse(TO) - Date.parse(FROM))) / 86_400_000;
  const rows: string[][] = [];
  const measure = async (what: string, build: number): Promise<void> => {
    const measured = [];
    for (let run = 0; run < runs; run++) measured.push(await plan(stack, project, build));
    const [seconds, peak] = [measured.map((one) => one.seconds), measured.map((one) => one.peakMb)];
    rows.push([what, median(seconds).toFixed(2), Math.max(...peak).toFixed(0)]);
  };
  await measure('nothing is built', all);
  await fillLedger(stack, await versionsOf(project));
  await measure('all is up to date', 0);
  const client = await stack.connect('wide');
  await client.query(`UPDATE sluice.partitions SET version = 'another'`);
  await measure('all is stale', all);
  console.log(markdownTable(['ledger', 'plan, s (median)', 'peak, MB'], rows));
}

async function versionsOf(project: string): Promise<Map<string, string>> {
  const { datasets } = await loadProject(await readProjectFiles(project), { environment: 'default', env: {} });
  return new Map([...datasets.values()].map((one) => [one.name, one.version]));
}

async function main([runs = '5']: readonly string[]): Promise<void> {
  await withStack((stack) => bench(stack, Number(runs)));
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) await main(process.argv.slice(2));
