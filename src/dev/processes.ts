import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { setTimeout as wait } from 'node:timers/promises';

/**
 * One process, told apart from a later one that got the same pid by when the kernel started it.
 * Whoever ends a process that it did not start itself must hold one of these, never a bare pid.
 */
export interface ProcessId {
  readonly pid: number;
  /** The kernel's word for its start time; only good for comparing. */
  readonly born: string;
}

/** The identity of a running process; `undefined` where there is none, or only a zombie. */
export function identify(pid: number): ProcessId | undefined {
  const born = existsSync('/proc/self/stat') ? bornByProc(pid) : bornByPs(pid);
  return born === undefined ? undefined : { pid, born };
}

/** Field 22 of /proc/<pid>/stat: ticks since boot. Slim containers have no `ps`. */
function bornByProc(pid: number): string | undefined {
  const stat = read(`/proc/${String(pid)}/stat`);
  // The second field is the command in parentheses and may itself hold spaces and parentheses.
  const [state, ...rest] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return state === 'Z' || state === 'X' ? undefined : rest[18];
}

function bornByPs(pid: number): string | undefined {
  const { stdout } = spawnSync('ps', ['-o', 'stat=,lstart=', '-p', String(pid)], { encoding: 'utf8' });
  const [state, ...born] = stdout.trim().split(/\s+/);
  return state === undefined || state === '' || state.startsWith('Z') ? undefined : born.join(' ');
}

/** The command line of a process, its arguments joined by spaces; empty where it cannot be read. */
export function commandOf(pid: number): string {
  if (existsSync('/proc/self/stat'))
    return read(`/proc/${String(pid)}/cmdline`)
      .replaceAll('\0', ' ')
      .trim();
  return spawnSync('ps', ['-o', 'command=', '-p', String(pid)], { encoding: 'utf8' }).stdout.trim();
}

function read(file: string): string {
  try {
    return readFileSync(file, 'latin1');
  } catch {
    return '';
  }
}

/** Whether exactly this process still runs. */
export function isRunning({ pid, born }: ProcessId): boolean {
  return identify(pid)?.born === born;
}

/** One rung of the ladder by which a process is ended. */
export interface EndStep {
  readonly signal: NodeJS.Signals;
  /** How long it may take to go before the next rung, in ms. */
  readonly waitMs: number;
}

/** How often a process that is not our child is looked at: it tells nobody when it goes. */
const POLL_MS = 20;
const LAST_STEP: EndStep = { signal: 'SIGKILL', waitMs: 5_000 };

/**
 * Ends a process: the given steps, then SIGKILL.
 *
 * @param hurry - when it aborts, the steps left are passed over.
 * @returns whether it has gone. False only where even SIGKILL did not help within 5 s, or is not allowed.
 */
export async function endProcess(id: ProcessId, steps: readonly EndStep[], hurry?: AbortSignal): Promise<boolean> {
  for (const step of [...steps, LAST_STEP]) {
    if (!isRunning(id)) return true;
    if (step !== LAST_STEP && hurry?.aborted) continue;
    send(id.pid, step.signal);
    await gone(id, step, hurry);
  }
  return !isRunning(id);
}

function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It went in between, or is not ours to end: the caller is told by `isRunning`.
  }
}

async function gone(id: ProcessId, step: EndStep, hurry?: AbortSignal): Promise<void> {
  for (let waited = 0; waited < step.waitMs && isRunning(id); waited += POLL_MS) {
    if (hurry?.aborted && step !== LAST_STEP) return;
    await wait(POLL_MS);
  }
}
