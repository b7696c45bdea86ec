import type { SliceResult } from '../src/contracts/slice.js';
import type { BackfillStatus } from '../src/contracts/status.js';
import { scopeName } from '../src/contracts/scope.js';
import { typedIn } from '../src/contracts/typed.js';

/** What all of a dataset waits for. */
export type Lack = NonNullable<BackfillStatus['waiting']>;

interface Lacking {
  lacks: Lack | null;
  wake: boolean;
}

/** Somebody must start a worker for its calls; or, with null, one is there. */
export function lackWorker(
  state: Lacking,
  called: { readonly activity: string; readonly taskQueue: string } | null,
): void {
  const { lacks } = state;
  state.lacks = called && {
    for: `a worker on task queue ${called.taskQueue} that takes calls of activity ${called.activity}`,
    since: lacks?.since ?? new Date().toISOString(),
    next: `start a worker for activity ${called.activity} on task queue ${called.taskQueue}`,
  };
  state.wake = true;
}

/** Nobody serves a project in an environment. */
export function lacksWorker({ project, environment }: { project: string; environment: string }): Lack {
  return {
    for: `a worker of ${scopeName(project, environment)}: none has taken this up`,
    since: new Date().toISOString(),
    next: typedIn(environment, 'sluice worker'),
  };
}

export function waitsAtGate(environment: string, why: string, next: string, since = new Date().toISOString()): Lack {
  return { for: why, since, next: typedIn(environment, next) };
}

/** A person holds that database, and takes the hold back; else it is looked at. */
export function nextAtGate(why: string): string {
  const [, connection] = /^connection (\S+): held by /.exec(why) ?? [];
  return connection === undefined ? 'sluice warehouse' : `sluice warehouse release ${connection}`;
}

/** Nobody passes the gate or connects, or something else is read in a source's place; or neither: said while it lasts. */
export function sayWhatLacks(
  state: Lacking,
  environment: string,
  { held, instead, restMs }: Pick<SliceResult, 'held' | 'instead' | 'restMs'>,
): void {
  const { lacks } = state;
  const why = held ?? instead;
  const next = held !== undefined && restMs === undefined ? nextAtGate(held) : 'sluice doctor';
  state.lacks = why === undefined ? null : waitsAtGate(environment, why, next, lacks?.since);
  state.wake = true;
}
