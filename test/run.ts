/**
 * `npm test`: each file in a process of its own, three at a time (most of them wait), longest first: the tail of an alphabet is luck. Prints what a file
 * said as it ends, and how to run one that failed.
 *
 *     npm test -- test/e2e/plan.test.ts --test-name-pattern 'half an hour'
 *     npm run test:faults     the other tier; `npm run test:all` has both
 *     npm test -- --record     keeps the seconds that each file took, for the order
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { z } from 'zod';
import { filesOf, ROOT, Tier } from './tiers.js';

const AT_ONCE = 3;
const FILE_MS = 600_000;
const SECONDS = join(ROOT, 'test/seconds.json');

interface Ended {
  readonly file: string;
  readonly passed: number;
  readonly failed: number;
  readonly seconds: number;
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    tier: { type: 'string', default: 'first' },
    record: { type: 'boolean', default: false },
    'test-name-pattern': { type: 'string', multiple: true, default: [] },
  },
});
const asked = positionals.map((file) => relative(ROOT, resolve(file)));
for (const file of asked) if (!existsSync(join(ROOT, file))) throw new Error(`there is no test file ${file}`);
const kept = z.record(z.string(), z.number()).parse(JSON.parse(readFileSync(SECONDS, 'utf8')));
const left = (asked.length > 0 ? asked : filesOf(Tier.parse(values.tier))).sort(
  (a, b) => (kept[b] ?? Infinity) - (kept[a] ?? Infinity),
);

/** A line of the summary of node's own reporter. */
const told = (said: string, what: string): number => Number(new RegExp(`^ℹ ${what} (\\d+)$`, 'm').exec(said)?.[1] ?? 0);

async function runFile(file: string): Promise<Ended> {
  const begun = performance.now();
  const patterns = values['test-name-pattern'].flatMap((pattern) => ['--test-name-pattern', pattern]);
  const args = ['--import', 'tsx', '--import', './test/support/seed.ts', '--test-reporter=spec', ...patterns, file];
  const limits = { timeout: FILE_MS, killSignal: 'SIGKILL' } as const;
  const child = spawn(process.execPath, args, { cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'], ...limits });
  let said = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => (said += text));
  await once(child, 'close');
  const seconds = Math.round((performance.now() - begun) / 100) / 10;
  const failed = told(said, 'fail') + told(said, 'cancelled');
  const broken = failed === 0 && child.exitCode !== 0 ? 1 : 0;
  // What failed stands where it failed; the reporter repeats it at the end.
  const [shown = ''] = said.split(/^✖ failing tests:$/m);
  const body = shown.replace(/^ℹ (?:tests|suites|pass|fail|cancelled|skipped|todo|duration_ms) .*\n/gm, '').trimEnd();
  const how = failed + broken > 0 ? `\n✖ to run it alone: npm test -- ${file}` : '';
  const end = child.signalCode === null ? '' : `\n✖ ended by ${child.signalCode} after ${seconds} s`;
  console.log(`\n${file} (${seconds} s)\n${body}${end}${how}`);
  return { file, passed: told(said, 'pass'), failed: failed + broken, seconds };
}

const ended: Ended[] = [];
await Promise.all(
  Array.from({ length: AT_ONCE }, async () => {
    for (let file = left.shift(); file !== undefined; file = left.shift()) ended.push(await runFile(file));
  }),
);
if (values.record) {
  const taken = Object.fromEntries(ended.map(({ file, seconds }) => [file, Math.round(seconds)]));
  const all = Object.entries({ ...kept, ...taken }).sort(([a], [b]) => (a < b ? -1 : 1));
  writeFileSync(SECONDS, `${JSON.stringify(Object.fromEntries(all), null, 2)}\n`);
}
const sum = (count: (one: Ended) => number): number => ended.reduce((before, one) => before + count(one), 0);
const bad = ended.filter(({ failed }) => failed > 0);
console.log(`\n${ended.length} files, ${Math.round(performance.now() / 1000)} s`);
for (const { file, failed } of bad) console.log(`✖ ${file}: ${failed} failed; npm test -- ${file}`);
console.log(`${sum(({ passed }) => passed)} passed, ${sum(({ failed }) => failed)} failed`);
process.exitCode = bad.length > 0 ? 1 : 0;
