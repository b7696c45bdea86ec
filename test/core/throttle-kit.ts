import { SENSES } from '../../src/core/throttle/types.js';
import type { Reading, Readings, Rules, Sense } from '../../src/core/throttle/types.js';

export const reading = (value: number | null, ageMs = 200): Reading => ({
  value,
  ageMs,
  reason: value === null ? 'it needs pg_monitor' : `${value}`,
});

type Values = Partial<Record<Sense, number | null | Reading>>;

/** All is quiet, but for `values`. */
export function readings(values: Values = {}, declared: Record<string, number | null> = {}): Readings {
  const quiet = { canary: 5, connections: 80 };
  const all = { ...Object.fromEntries(SENSES.map((sense) => [sense, 0])), ...quiet, ...values } as Record<
    Sense,
    number | null | Reading
  >;
  const asReading = (value: number | null | Reading): Reading =>
    typeof value === 'object' && value !== null ? value : reading(value);
  const canary = asReading(all.canary).value;
  return {
    sensed: Object.fromEntries(SENSES.map((sense) => [sense, asReading(all[sense])])) as Record<Sense, Reading>,
    declared: Object.fromEntries(Object.entries(declared).map(([name, value]) => [name, reading(value)])),
    probes: canary === null ? [] : Array.from({ length: 5 }, () => canary),
  };
}

export const rules = (over: Partial<Rules> = {}): Rules => ({
  law: 'fixed',
  slots: 8,
  knee: 16,
  windows: [],
  holdWhen: [],
  order: null,
  ...over,
});
