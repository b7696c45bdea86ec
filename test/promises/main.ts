/**
 * Breaks the code that keeps each promise of docs/guarantees.md, and looks whether its test fails.
 *
 *     npm run promises [-- --only 'fence|slots']
 *     npm run promises -- --calm          the same tests with nothing broken: all pass
 */
import { parseArgs } from 'node:util';
import { BROKEN, type Broken } from './broken.js';
import { copyTree } from './copy.js';
import { judge, judgeCalm, runTests, stopTests, type Verdict } from './run.js';

const { values } = parseArgs({ options: { only: { type: 'string' }, calm: { type: 'boolean', default: false } } });
const say = (line: string): void => void process.stdout.write(`${line}\n`);

const only = new RegExp(values.only ?? '', 'i');
const chosen = BROKEN.filter(({ promise, what, test }) => only.test(`${promise}: ${what} ${test}`));
const copy = copyTree();
const stop = (): void => {
  stopTests();
  copy.remove();
  process.exit(130);
};
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, stop);

try {
  const wrong = values.calm ? await calmly(chosen) : await broken(chosen);
  if (wrong > 0 || chosen.length === 0) process.exitCode = 1;
} finally {
  copy.remove();
}

/** @returns how many were not seen */
async function broken(entries: readonly Broken[]): Promise<number> {
  let seen = 0;
  for (const entry of entries) {
    const { word, why } = await timed(`${entry.promise}: ${entry.what}`, async () => {
      const refusal = copy.become(entry.edits);
      if (refusal !== undefined) return { word: 'NOT BUILT', why: refusal };
      const { test, names = [] } = entry;
      return judge(await runTests(copy, test, names), names.at(-1));
    });
    if (word === 'SEEN') seen++;
    else say(`          look at ${entry.test}: ${why}`);
  }
  say(`${seen} of ${entries.length} planted bugs seen`);
  return entries.length - seen;
}

/** @returns how many files have a test that fails with nothing broken */
async function calmly(entries: readonly Broken[]): Promise<number> {
  let wrong = 0;
  const refusal = copy.become([]);
  if (refusal !== undefined) throw new Error(refusal);
  const files = [...new Set(entries.map(({ test }) => test))];
  for (const file of files) {
    const wanted = entries.filter(({ test }) => test === file).map(({ names }) => names);
    const names = wanted.includes(undefined) ? [] : wanted.flatMap((some) => some ?? []);
    const { word } = await timed(file, async () => judgeCalm(await runTests(copy, file, [...new Set(names)])));
    if (word !== 'CALM') wrong++;
  }
  say(`${files.length - wrong} of ${files.length} files pass with nothing broken`);
  return wrong;
}

async function timed(what: string, act: () => Promise<Verdict>): Promise<Verdict> {
  const began = performance.now();
  const verdict = await act();
  const seconds = Math.round((performance.now() - began) / 1000);
  say(`${verdict.word.padEnd(9)} ${what} (${seconds} s)\n          ${verdict.why}`);
  return verdict;
}
