import { readFileSync } from 'node:fs';
import { BackfillStatus } from '../../src/contracts/status.js';
import { startStack, type Stack } from '../../test/support/stack.js';

/** One backfill by the whole command, as a person types it. */
export interface EngineRun {
  /** Wall time of the command, its start included. */
  readonly seconds: number;
  readonly status: BackfillStatus;
}

/** Runs `sluice backfill … --wait` and demands that it completes. */
export async function backfill(stack: Stack, project: string, words: readonly string[]): Promise<EngineRun> {
  const began = performance.now();
  const ran = await stack.sluice(['backfill', '-p', project, ...words, '--wait', '--json']);
  const seconds = (performance.now() - began) / 1000;
  if (ran.code !== 0) throw new Error(`sluice backfill exits with ${ran.code}: ${ran.err}${ran.out}`);
  return { seconds, status: BackfillStatus.parse(ran.json()) };
}

/** Runs a bench on servers of its own, which end with it. */
export async function withStack(work: (stack: Stack) => Promise<void>): Promise<void> {
  const stack = await startStack();
  try {
    await work(stack);
  } finally {
    await stack.stop();
  }
}

/** Highest resident memory of a process so far, in MB (Linux). */
export function peakMb(pid: number): number {
  return statusMb(pid, 'VmHWM');
}

/** Resident memory of a process now, in MB (Linux). */
export function residentMb(pid: number): number {
  return statusMb(pid, 'VmRSS');
}

function statusMb(pid: number, field: string): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const line = status.split('\n').find((one) => one.startsWith(`${field}:`)) ?? '';
  return Number(/\d+/.exec(line)?.[0] ?? 0) / 1024;
}
