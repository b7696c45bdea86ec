/** The rivals of the adaptive law, behind the same interface: for the simulator and the benches only. */
import { median } from '../src/core/throttle/quantile.js';
import type { Law } from '../src/core/throttle/types.js';

/** A number of slots, whatever is measured. */
export function slots(count: number): Law<null> {
  const says = { cause: 'free', reason: 'fixed' } as const;
  return { name: `fixed ${count}`, needs: [], begin: () => null, step: () => ({ state: null, slots: count, ...says }) };
}

/** The median of the first 25 probes, before the first batch: what rivals know of the base. */
type Base = readonly number[];

const BASE_PROBES = 25;

function learn(base: Base, probes: readonly number[]): Base {
  return base.length < BASE_PROBES ? [...base, ...probes] : base;
}

/** All or nothing, as gh-ost: nothing while more is active than the knee bears, or the canary takes twice its base. */
export const onOff: Law<Base> = {
  name: 'on/off',
  needs: ['foreground', 'ours', 'canary'],
  begin: () => [],
  step: (before, { sensed, probes }, { most, knee }) => {
    const base = learn(before, probes);
    if (base !== before) return { state: base, slots: 0, cause: 'calibrating', reason: 'on/off' };
    const active = (sensed.foreground.value ?? 0) + (sensed.ours.value ?? 0);
    const off = active > 1.25 * knee || median(probes) > 2 * median(base);
    return { state: base, slots: off ? 0 : most, cause: off ? 'latency' : 'free', reason: 'on/off' };
  },
};

/** Additive increase, multiplicative decrease on the canary: ×0.7 over 1.4 times its base, else one more. */
export const aimd: Law<{ readonly base: Base; readonly window: number }> = {
  name: 'AIMD',
  needs: ['canary'],
  begin: () => ({ base: [], window: 1 }),
  step: ({ base: before, window }, { probes }, { most }) => {
    const base = learn(before, probes);
    if (base !== before) return { state: { base, window }, slots: 0, cause: 'calibrating', reason: 'AIMD' };
    const slow = median(probes) > 1.4 * median(base);
    const next = slow ? Math.max(1, window * 0.7) : Math.min(most, window + 1);
    return { state: { base, window: next }, slots: Math.round(next), cause: slow ? 'latency' : 'free', reason: 'AIMD' };
  },
};
