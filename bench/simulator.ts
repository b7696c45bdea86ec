/**
 * Laws of throttling on a simulated warehouse of 16 cores: foreground load in steps of 0.3, 0.7 and 0.85 and a sine, and 120 s in which
 * 35 % of the capacity is gone and nobody says so.
 *
 *     node --import tsx bench/simulator.ts [FIRST_SEED LAST_SEED]
 */
import { pathToFileURL } from 'node:url';
import { adaptive } from '../src/core/throttle/adaptive.js';
import { quantile } from '../src/core/throttle/quantile.js';
import { SENSES } from '../src/core/throttle/types.js';
import type { Bounds, Law, Reading, Readings, Sense } from '../src/core/throttle/types.js';
import { random } from '../test/support/random.js';
import { aimd, onOff, slots } from './laws.js';
import { markdownTable, median } from './lib/figures.js';
import { simulate, WINDOW } from './lib/warehouse.js';
import type { Controller, Outcome, Sample, Scenario } from './lib/warehouse.js';

const CORES = 16;
const STEP_SECONDS = 120;
const LOST_SECONDS = 120;

/** Steps in an order that the seed decides, then a sine; capacity is lost in the last of three steps of 0.3. */
export function scenarioOf(seed: number, over: Partial<Scenario> = {}): Scenario {
  const next = random(seed);
  const busy = next() < 0.5 ? [0.7, 0.85] : [0.85, 0.7];
  const steps = [0.3, busy[0], 0.3, busy[1], 0.3, 0.3].map((load) => load ?? 0.3);
  const sine = steps.length * STEP_SECONDS;
  const period = 60 + 120 * next();
  const lost = sine - 2 * STEP_SECONDS + 10 + next() * (2 * STEP_SECONDS - LOST_SECONDS - 20);
  return {
    seconds: sine + 300,
    cores: CORES,
    load: (t) =>
      t < sine ? (steps[Math.floor(t / STEP_SECONDS)] ?? 0) : 0.5 + 0.3 * Math.sin((2 * Math.PI * (t - sine)) / period),
    capacity: (t) => (t >= lost && t < lost + LOST_SECONDS ? 0.65 : 1),
    noise: 0.3,
    stale: 1,
    batch: 0.25,
    ...over,
  };
}

/** A law at work on the simulated warehouse. */
export function controllerOf<S>(law: Law<S>, bounds: Bounds, note: (state: S) => void = () => undefined): Controller {
  let state = law.begin(bounds);
  return (sample) => {
    const step = law.step(state, readingsOf(sample), bounds, 1000);
    state = step.state;
    note(state);
    return step.slots;
  };
}

function readingsOf({ foreground, ours, probes }: Sample): Readings {
  const values: Partial<Record<Sense, number>> = { foreground, ours, canary: probes.at(-1) ?? 0, connections: 100 };
  const sensed = Object.fromEntries(
    SENSES.map((sense): [Sense, Reading] => [sense, { value: values[sense] ?? 0, ageMs: 1000, reason: '' }]),
  ) as Record<Sense, Reading>;
  return { sensed, declared: {}, probes };
}

export interface Figures {
  /** Foreground p95 over the p95 of the same queries alone. */
  readonly p95: number;
  /** The same in the worst 10 s. */
  readonly worst: number;
  /** Work done, of what a slot for every core does. */
  readonly share: number;
}

/** What a law did, against the same foreground alone and against a slot for every core. */
export function compare(outcome: Outcome, alone: Outcome, saturated: Outcome): Figures {
  const all = ({ windows }: Outcome): number[] => windows.flatMap((window) => [...window]);
  const ratios = outcome.windows.map((window, i) => p95(window) / p95(alone.windows[i] ?? []));
  return {
    p95: p95(all(outcome)) / p95(all(alone)),
    worst: Math.max(...ratios.filter(Number.isFinite)),
    share: outcome.done / saturated.done,
  };
}

export function p95(values: ArrayLike<number>): number {
  return quantile(Array.from(values), 0.95);
}

export const BOUNDS: Bounds = { most: CORES, knee: CORES };

function main([first = '1001', last = '1200']: readonly string[]): void {
  const run = <S>(law: Law<S>) => ({ name: law.name, start: () => controllerOf(law, BOUNDS) });
  const laws = [run(adaptive), run(slots(16)), run(slots(8)), run(slots(4)), run(onOff), run(aimd)];
  const figures = laws.map((): Figures[] => []);
  for (let seed = Number(first); seed <= Number(last); seed++) {
    const scenario = scenarioOf(seed);
    const alone = simulate(scenario, seed, () => 0);
    const saturated = simulate(scenario, seed, () => CORES);
    for (const [i, law] of laws.entries())
      figures[i]?.push(compare(simulate(scenario, seed, law.start()), alone, saturated));
  }
  const cell = (all: readonly Figures[], key: keyof Figures): string =>
    `${median(all.map((one) => one[key])).toFixed(2)} (${[0.05, 0.95]
      .map((share) =>
        quantile(
          all.map((one) => one[key]),
          share,
        ).toFixed(2),
      )
      .join(' to ')})`;
  console.log(
    markdownTable(
      ['law', 'foreground p95 against alone', `worst ${WINDOW} s`, 'share of 16 slots'],
      laws.map(({ name }, i) => [
        name,
        ...(['p95', 'worst', 'share'] as const).map((key) => cell(figures[i] ?? [], key)),
      ]),
    ),
  );
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) main(process.argv.slice(2));
