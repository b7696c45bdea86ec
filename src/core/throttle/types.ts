/**
 * The words of the governor: sense (`Readings`), judge (`Law`, `Verdict`), act (elsewhere). Pure, and shared by the governing activity, the
 * simulator and the benches. `docs/governor.md` says how they hang together.
 */

import type { Window } from './windows.js';

/** Something measured of a database. */
export interface Reading {
  /** What was measured, in the unit that the name implies; null is unknown. */
  readonly value: number | null;
  /** How old it is, in ms, when it is judged. */
  readonly ageMs: number;
  /** Words for a person: what it says, or why it is unknown and what would make it known. */
  readonly reason: string;
}

/**
 * Names of what is sensed.
 *
 * - `foreground`: active backends that are not ours, parallel workers counted; the mean of some samples since the last tick, as one alone is off by
 *   about its square root.
 * - `ours`: active backends of sluice, parallel workers counted.
 * - `canary`: latency of the canary query, ms, a sample (the newest). It should take some ms by itself: below 1 ms differences are taken for noise.
 * - `blocked`: sessions of others that wait for a lock that sluice holds.
 * - `lag_seconds`, `lag_bytes`: of the slowest replica; 0 without one.
 * - `slots_lost`: replication slots whose WAL is no longer reserved.
 * - `archive`: WAL segments that wait to be archived.
 * - `checkpoints`: checkpoints in the last minute that were asked for rather than due.
 * - `autovacuum`: autovacuum workers on tables that sluice writes.
 * - `connections`: connections still free for ordinary roles.
 */
export const SENSES = [
  'foreground',
  'ours',
  'canary',
  'blocked',
  'lag_seconds',
  'lag_bytes',
  'slots_lost',
  'archive',
  'checkpoints',
  'autovacuum',
  'connections',
] as const;
export type Sense = (typeof SENSES)[number];

/** What a project declares: hold while the query's number is above the bound. */
export interface HoldWhen {
  readonly name: string;
  readonly above: number;
}

/** All that is known of a database at one tick. `declared` is keyed by the name under `hold_when`. */
export interface Readings {
  readonly sensed: Readonly<Record<Sense, Reading>>;
  readonly declared: Readonly<Record<string, Reading>>;
  /** Canary latencies, ms, since the last tick. */
  readonly probes: readonly number[];
}

/** What a law may use. */
export interface Bounds {
  /** The most batches at work at once: the budget's, cut by the window and by a person. */
  readonly most: number;
  /** How many active backends the database bears, as far as anybody said (the budget's `cores`): where the law begins to learn it, and 1.35 times which it never exceeds. */
  readonly knee: number;
}

/** What a law makes of one tick: a number of slots, not yet rounded, and the words for it. */
export interface Step<S> {
  readonly state: S;
  readonly slots: number;
  readonly cause: Cause;
  readonly reason: string;
}

/**
 * A law of throttling: a pure function from tick to tick. Its state is plain JSON: it is carried by the governor workflow, and a
 * governor that is restarted goes on with it.
 */
export interface Law<S> {
  readonly name: string;
  /** Without these it is blind: one of them unknown slows down. */
  readonly needs: readonly Sense[];
  readonly begin: (bounds: Bounds) => S;
  /** @param tickMs - since the last tick; 1,000 when all is well. */
  readonly step: (state: S, readings: Readings, bounds: Bounds, tickMs: number) => Step<S>;
}

/**
 * Why the limit is what it is; one word for metrics and tests, each with its sentence in `reason`. In the order in which they
 * win: a person, a window, a critical stop, a hard stop, unknown readings, the law.
 */
export const CAUSES = [
  'operator',
  'window',
  'critical',
  'stop',
  'unknown',
  'foreground',
  'latency',
  'recovering',
  'calibrating',
  'free',
] as const;
export type Cause = (typeof CAUSES)[number];

/** What a person said: at most so many batches at work at once; 0 holds. */
export interface Order {
  readonly slots: number;
  readonly by: string;
  readonly reason: string;
}

/** What the judge goes by, besides what is measured. */
export interface Rules {
  readonly law: 'fixed' | 'adaptive';
  /** The budget's. */
  readonly slots: number;
  readonly knee: number;
  readonly windows: readonly Window[];
  readonly holdWhen: readonly HoldWhen[];
  readonly order: Order | null;
}

/** What is in force until the next tick. */
export interface Verdict {
  /** Batches at work at once, whole; 0 holds. */
  readonly slots: number;
  readonly cause: Cause;
  /** The reading or declared query that decided, where one did: `lag_seconds`, `hold_when lag`. */
  readonly reading: string | null;
  /** One sentence for a person. */
  readonly reason: string;
  /** What the shell must do besides: end the youngest batch of ours that blocks others, or all of ours. */
  readonly cancel: 'none' | 'blocker' | 'all';
}
