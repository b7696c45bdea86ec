import type { Reading, Sense } from '../../core/throttle/types.js';

/** Who is at work is counted so often between two rounds: one count alone is off by about its square root. */
const COUNTS = 5;
const COUNT_MS = 200;

const COUNTED = ['foreground', 'ours'] as const satisfies readonly Sense[];

/** Counts since the last round, and their mean. */
export interface Counts {
  /** Keeps what a look found; null is unknown, and makes what was counted before worthless. */
  readonly add: (sense: Sense, value: number | null) => void;
  /** What was read last, in the mean of all counts since the last call. */
  readonly take: (read: (sense: Sense) => Reading) => Partial<Record<Sense, Reading>>;
  /** Counts on until the next round. It ends by itself, so that nothing is counted when nobody asks. */
  readonly goOn: () => void;
  readonly close: () => void;
}

export function createCounts(look: () => Promise<void>): Counts {
  const counts = new Map<Sense, readonly number[]>();
  const timers = new Set<NodeJS.Timeout>();
  return {
    add: (sense, value) => {
      if (!COUNTED.some((one) => one === sense)) return;
      counts.set(sense, value === null ? [] : [...(counts.get(sense) ?? []), value].slice(-COUNTS));
    },
    take: (read) => {
      const means = COUNTED.flatMap((sense) => {
        const [all, newest] = [counts.get(sense) ?? [], read(sense)];
        counts.delete(sense);
        return newest.value === null || all.length === 0 ? [] : [[sense, inTheMean(sense, newest, all)] as const];
      });
      return Object.fromEntries(means);
    },
    goOn: () => {
      for (let i = 1; i < COUNTS; i++) {
        const timer = setTimeout(() => {
          timers.delete(timer);
          void look();
        }, i * COUNT_MS);
        timers.add(timer);
      }
    },
    close: () => {
      for (const timer of timers) clearTimeout(timer);
    },
  };
}

function inTheMean(sense: (typeof COUNTED)[number], newest: Reading, all: readonly number[]): Reading {
  const value = all.reduce((sum, one) => sum + one, 0) / all.length;
  const whose = sense === 'ours' ? 'of sluice' : 'backends of others';
  return { ...newest, value, reason: `${Math.round(10 * value) / 10} ${whose} are active, in the mean of a second` };
}
