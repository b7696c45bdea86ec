/** Runs a test of a copy, and judges whether it noticed the bug that is in it. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { Copy } from './copy.js';
import { endThoseOf, endTree } from './leftovers.js';
import { Outcome } from './reporter.js';

/** A test that hangs is stopped then. */
const LATE_MS = 600_000;

export interface Ran {
  readonly outcomes: readonly Outcome[];
  readonly late: boolean;
  /** What the runner said beside its outcomes. */
  readonly noise: string;
}

let running: ChildProcess | undefined;

/** Stops the test that runs, and the servers and workers that it has started. */
export function stopTests(): void {
  if (running?.pid !== undefined) endTree(running.pid);
}

/** The tests of one file whose titles have one of `names` in them; all of them without. */
export async function runTests(copy: Copy, file: string, names: readonly string[]): Promise<Ran> {
  const patterns = names.map((name) => `--test-name-pattern=${name.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&')}`);
  // Without --test, which would start another process for the file, and knows no reporter in TypeScript. What a failed test left open ends with it.
  const runner = ['--import', 'tsx', '--import', './test/support/seed.ts'];
  const path = join(copy.dir, file);
  const args = [...runner, '--test-force-exit', '--test-reporter=./test/promises/reporter.ts', ...patterns, path];
  const env = { ...process.env, TMPDIR: copy.tmp };
  const child = spawn(process.execPath, args, { cwd: copy.dir, env, stdio: ['ignore', 'pipe', 'pipe'] });
  running = child;
  const [out, err] = [collect(child.stdout), collect(child.stderr)];
  let late = false;
  AbortSignal.timeout(LATE_MS).addEventListener('abort', () => {
    if (running !== child) return;
    late = true;
    stopTests();
  });
  const closed = once(child, 'close');
  await once(child, 'exit');
  running = undefined;
  // A worker that a failed test has left would keep its output open.
  endThoseOf(copy.dir);
  await closed;
  const lines = out().split('\n');
  const told = lines.filter((line) => line.startsWith('{"name":'));
  return {
    outcomes: told.map((line) => Outcome.parse(JSON.parse(line))),
    late,
    noise: `${err()}${lines.filter((line) => !told.includes(line)).join('\n')}`.trim(),
  };
}

function collect(stream: NodeJS.ReadableStream): () => string {
  let text = '';
  stream.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
  return () => text;
}

/** What a run says of a promise. */
export interface Verdict {
  readonly word: 'SEEN' | 'NOT SEEN' | 'LATE' | 'NOT BUILT' | 'NOT RUN' | 'CALM' | 'NOT CALM';
  readonly why: string;
}

/** Of a run with a bug in it: only a test that failed by itself has seen it, not one that could not even begin. With `title`, that very test. */
export function judge({ outcomes, late, noise }: Ran, title = ''): Verdict {
  const failed = outcomes.filter(({ passed }) => !passed);
  const own = failed.find((one) => one.own && one.name.includes(title));
  if (own) return { word: 'SEEN', why: wordsOf(own) };
  if (late) return { word: 'LATE', why: `stopped after ${LATE_MS / 60_000} minutes` };
  const [first] = failed;
  if (first) return { word: 'NOT RUN', why: wordsOf(first) };
  if (outcomes.length === 0) return { word: 'NOT RUN', why: oneLine(noise) };
  return { word: 'NOT SEEN', why: `${outcomes.length} passed` };
}

/** Of a run without one. */
export function judgeCalm(ran: Ran): Verdict {
  const verdict = judge(ran);
  if (verdict.word === 'NOT SEEN') return { word: 'CALM', why: verdict.why };
  return verdict.word === 'SEEN' ? { ...verdict, word: 'NOT CALM' } : verdict;
}

function wordsOf({ name, why }: Outcome): string {
  return `"${name}": ${oneLine(why)}`;
}

function oneLine(text: string): string {
  const line = text.replace(/\s+/g, ' ').trim();
  return line.length > 200 ? `${line.slice(0, 199)}…` : line;
}
