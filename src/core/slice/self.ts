/**
 * A dataset that reads itself is built in order: a partition may run only when those that it reads of its own dataset are done, or
 * come before it in the same slice. So one slice runs at a time, with many partitions in it: one by one would take an activity each.
 */
import type { Board } from './board.js';
import { follow } from './board.js';
import { at } from './spans.js';
import { CODE } from './states.js';

/** Blocks, skips or frees partitions by what became of those before them. To be called after any change, before the next pick. */
export function followSelf(board: Board): void {
  const { self, states, count } = board;
  if (!self) return;
  const failed = new Int32Array(count + 1);
  const skipped = new Int32Array(count + 1);
  for (let i = 0; i < count; i++) {
    const [lo, hi] = [at(self.lo, i), at(self.hi, i)];
    const verdict = any(skipped, lo, hi) ? CODE.skipped : any(failed, lo, hi) ? CODE.blocked : CODE.ready;
    if (verdict !== self.verdict[i]) {
      self.verdict[i] = verdict;
      follow(board, i);
    }
    const code = states[i];
    failed[i + 1] = at(failed, i) + (code === CODE.failed || code === CODE.blocked ? 1 : 0);
    skipped[i + 1] = at(skipped, i) + (code === CODE.skipped ? 1 : 0);
  }
}

/** The states, in which only what can run next in order is ready: each with all that it reads done, or ready before it. */
export function inOrder({ self, states, count }: Board): Uint8Array {
  const shown = states.slice();
  if (!self) return shown;
  const good = new Int32Array(count + 1);
  for (let i = 0; i < count; i++) {
    const [lo, hi] = [at(self.lo, i), at(self.hi, i)];
    if (shown[i] === CODE.ready && lo < hi && at(good, hi) - at(good, lo) < hi - lo) shown[i] = CODE.waiting;
    good[i + 1] = at(good, i) + (shown[i] === CODE.ready || shown[i] === CODE.done ? 1 : 0);
  }
  return shown;
}

/** Whether `ordinal` is ready and all that it reads of its own dataset is done. */
export function isNext({ self, states }: Board, ordinal: number): boolean {
  if (!self) return states[ordinal] === CODE.ready;
  const before = states.subarray(at(self.lo, ordinal), at(self.hi, ordinal));
  return states[ordinal] === CODE.ready && before.every((code) => code === CODE.done);
}

function any(sums: Int32Array, lo: number, hi: number): boolean {
  return lo < hi && at(sums, hi) > at(sums, lo);
}
