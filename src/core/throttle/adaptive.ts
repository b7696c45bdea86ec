/**
 * The adaptive law: what the warehouse's own users leave over, and less as soon as a canary query slows down.
 *
 *     Afg   += (A > Afg + 2√(Afg+1) ? 0.7 : A < Afg − 2√(Afg+1) ? 0.5 : 0.25) · (A − Afg)
 *     room   = K − Afg − √Afg                              feed-forward: a step of load acts in one tick
 *     x      = median(last 15 probes) / base − 1           feedback: what counting backends can't see
 *     θ      = max(0.5, 3 standard errors of that median)
 *     W      = x < ¾θ: 1.5·W + 0.5    x ≤ θ: W + ½(1 − x/θ)    x > θ, once in 2 s: W + max(½ − W(x/θ − 1), −W/2)
 *     K      = x₅₀ > 0.3 and N < 1.05·K: 0.985·K    x₅₀ < 0.2 and N > 0.8·K: K + 0.2, at most 1.35 times what it began with
 *     slots  = ⌊min(W, room, most) + min(½, 0.03·K)⌋       N: all active backends; x₅₀: x over the last 50 probes, 10 s
 *
 * Every ten minutes we stand still for 8 s and measure the canary without us; `base` is the median of the last six such measurements,
 * and of nothing else, so that it can't learn our own load as normal. It is measured first of all, before the first batch.
 *
 * Evidence: `bench/simulator.ts`, 16 cores, tuned on seeds 1 to 30, reported on others in docs/benchmarks.md. Feed-forward alone trusts K, feedback
 * alone is seconds late (LEDBAT++, whose gain, cap on cuts and slowdown these are). A backend count is a noisy number: √Afg is its deviation
 * where queries come at random, and following every peak of it cost a tenth of the throughput. The law was not sensitive to 2 × noise; batches of 1 s
 * instead of 0.25 s, or readings 3 s old instead of 1 s, made the worst 10 s half as bad again: short batches and fresh readings are worth more than
 * any constant here. Slots are whole: of 16 cores one more than there is room for slows nobody, of two it takes half of what the others have, and a
 * short canary, which an operating system lets go first, does not show it. So what is rounded up is at most 3 % of K.
 */
import { median, quantile } from './quantile.js';
import { valueOf } from './stops.js';
import { SENSES } from './types.js';
import type { Bounds, Cause, Law, Readings, Step } from './types.js';

/** What the law learned: plain JSON, under 2 KB. */
export interface AdaptiveState {
  /** Afg; null before the first tick. */
  readonly foreground: number | null;
  /** K. */
  readonly knee: number;
  /** W. */
  readonly window: number;
  /** What the last tick gave. */
  readonly slots: number;
  /** The last 50 latencies of the canary, ms, the newest last. */
  readonly probes: readonly number[];
  /** What slowdowns measured, ms, the newest last. */
  readonly bases: readonly number[];
  /** Whether this is a slowdown; how long it has lasted, or since when there was none; how long ago W was cut. */
  readonly slowdown: boolean;
  readonly phaseMs: number;
  readonly cutMs: number;
}

const PROBES = 50;
const FAST_PROBES = 15;
/** Below it differences are those of clocks and networks. */
const BASE_MIN_MS = 1;
const BASES = 6;
const SLOWDOWN_EVERY_MS = 600_000;
const MEASURE_MS = 6000;
/** What runs when a slowdown begins ends first; nothing runs before the first one. */
const SETTLE_MS = 2000;
const THETA = 0.5;
/** A slot may exceed the room by this part of K, and by half a slot. */
const OVER_ROOM = 0.03;
const CUT_EVERY_MS = 2000;

function begin({ knee, most }: Bounds): AdaptiveState {
  const nothing = { foreground: null, slots: 0, probes: [], bases: [], phaseMs: 0, cutMs: 0 };
  return { ...nothing, knee: Math.max(1, knee), window: Math.max(1, most / 2), slowdown: true };
}

function step(before: AdaptiveState, readings: Readings, bounds: Bounds, tickMs: number): Step<AdaptiveState> {
  const seen = observe(before, readings, tickMs);
  const state = slowDown(seen);
  if (state.slowdown) return standStill(state);
  const ours = Math.max(0, valueOf(readings.sensed.ours) ?? 0);
  return give(learn(react(state, bounds, ours), bounds, ours), bounds);
}

function observe(state: AdaptiveState, { sensed, probes }: Readings, tickMs: number): AdaptiveState {
  const active = valueOf(sensed.foreground);
  const latencies = probes.filter((ms) => Number.isFinite(ms) && ms > 0);
  return {
    ...state,
    foreground: active === null ? state.foreground : smooth(state.foreground, Math.max(0, active)),
    probes: [...state.probes, ...latencies].slice(-PROBES),
    phaseMs: state.phaseMs + tickMs,
    cutMs: Math.min(CUT_EVERY_MS, state.cutMs + tickMs),
  };
}

function smooth(mean: number | null, active: number): number {
  if (mean === null) return active;
  const surprise = 2 * Math.sqrt(mean + 1);
  const gain = active > mean + surprise ? 0.7 : active < mean - surprise ? 0.5 : 0.25;
  return mean + gain * (active - mean);
}

/** Into a slowdown, through it, and out of it with a new base. */
function slowDown(state: AdaptiveState): AdaptiveState {
  const { slowdown, phaseMs, probes, bases } = state;
  if (!slowdown) return phaseMs < SLOWDOWN_EVERY_MS ? state : { ...state, slowdown: true, phaseMs: 0 };
  const settle = bases.length === 0 ? 0 : SETTLE_MS;
  if (phaseMs <= settle) return { ...state, probes: [] };
  if (phaseMs < settle + MEASURE_MS || probes.length < FAST_PROBES) return state;
  return { ...state, slowdown: false, phaseMs: 0, bases: [...bases, median(probes)].slice(-BASES) };
}

function standStill(state: AdaptiveState): Step<AdaptiveState> {
  const reason = 'the canary is measured without sluice for some seconds, as every ten minutes';
  return { state: { ...state, slots: 0 }, slots: 0, cause: 'calibrating', reason };
}

function baseOf({ bases }: AdaptiveState): number {
  return Math.max(BASE_MIN_MS, median(bases));
}

/** x, over so many of the last probes; 0 while there are too few to tell. */
function excess(state: AdaptiveState, count: number): number {
  const probes = state.probes.slice(-count);
  return probes.length < FAST_PROBES ? 0 : median(probes) / baseOf(state) - 1;
}

function thetaOf({ probes }: AdaptiveState): number {
  const last = probes.slice(-FAST_PROBES);
  if (last.length < FAST_PROBES) return THETA;
  // Of a normal distribution the quartiles are 1.35 σ apart, and the median's standard error is 1.25 σ/√n.
  const sigma = (quantile(last, 0.75) - quantile(last, 0.25)) / median(last) / 1.35;
  return Math.max(THETA, (3 * 1.25 * sigma) / Math.sqrt(FAST_PROBES));
}

/** W. It rises only while it is used, and is cut from what is in force. */
function react(state: AdaptiveState, { most }: Bounds, ours: number): AdaptiveState {
  const [x, theta] = [excess(state, FAST_PROBES), thetaOf(state)];
  if (x > theta) {
    if (state.cutMs < CUT_EVERY_MS) return state;
    const from = Math.min(state.window, Math.max(1, state.slots));
    return { ...state, cutMs: 0, window: Math.max(1, from + Math.max(0.5 - from * (x / theta - 1), -from / 2)) };
  }
  if (ours < 0.8 * state.slots) return state;
  const risen = x < 0.75 * theta ? 1.5 * state.window + 0.5 : state.window + 0.5 * (1 - x / theta);
  return { ...state, window: Math.min(Math.max(1, most), risen) };
}

/** K. */
function learn(state: AdaptiveState, { knee: first }: Bounds, ours: number): AdaptiveState {
  const { knee } = state;
  const x = excess(state, PROBES);
  const active = (state.foreground ?? 0) + ours;
  if (x > 0.3 && active < 1.05 * knee) return { ...state, knee: Math.max(1, 0.985 * knee) };
  if (x < 0.2 && active > 0.8 * knee) return { ...state, knee: Math.max(knee, Math.min(1.35 * first, knee + 0.2)) };
  return state;
}

function give(state: AdaptiveState, { most }: Bounds): Step<AdaptiveState> {
  const { knee, window } = state;
  const foreground = state.foreground ?? 0;
  const room = knee - foreground - Math.sqrt(foreground);
  const slots = Math.max(0, Math.min(most, Math.floor(Math.min(window, room) + Math.min(0.5, OVER_ROOM * knee))));
  const [cause, reason] = because(state, slots === most ? 'free' : window < room ? 'latency' : 'foreground');
  return { state: { ...state, slots }, slots, cause, reason };
}

function because(state: AdaptiveState, cause: 'free' | 'latency' | 'foreground'): [Cause, string] {
  const users = `${shown(state.foreground ?? 0)} backends work for others, of ${shown(state.knee)} that the database bears`;
  const [now, base] = [shown(median(state.probes.slice(-FAST_PROBES))), shown(baseOf(state))];
  if (cause === 'foreground') return ['foreground', users];
  if (cause === 'free') return ['free', `there is room: ${users}`];
  if (excess(state, FAST_PROBES) > thetaOf(state))
    return ['latency', `the canary takes ${now} ms, and ${base} ms without sluice`];
  return ['recovering', `coming up, more each second while the canary takes about its ${base} ms; now ${now}`];
}

function shown(value: number): string {
  return value.toFixed(1);
}

export const adaptive: Law<AdaptiveState> = {
  name: 'adaptive',
  needs: SENSES,
  begin,
  step,
};
