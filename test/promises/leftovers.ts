/** Ends what a test has started and left. Servers are in process groups of their own, and some run as another user. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { commandOf } from '../../src/dev/processes.js';

/** A process, and all that it has started and that has not lost it as a parent. */
export function endTree(pid: number): void {
  const children = new Map<number, number[]>();
  for (const one of allPids()) {
    const parent = parentOf(one);
    children.set(parent, [...(children.get(parent) ?? []), one]);
  }
  const below = (of: number): number[] => (children.get(of) ?? []).flatMap((child) => [child, ...below(child)]);
  for (const one of [pid, ...below(pid)]) kill(one);
}

/** Those whose command line names a file in a folder of ours. */
export function endThoseOf(folder: string): void {
  for (const pid of allPids()) if (pid !== process.pid && commandOf(pid).includes(`${folder}/`)) kill(pid);
}

function allPids(): number[] {
  if (!existsSync('/proc/self/stat')) return [];
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number);
}

function parentOf(pid: number): number {
  try {
    // What follows the command, which may itself hold spaces and parentheses: state, parent.
    return Number(readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ').at(-1)?.split(' ')[1]);
  } catch {
    return 0;
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended meanwhile.
  }
}
