/**
 * Stops: readings that no law may weigh against throughput. Where the bounds come from: research of the tools that throttle on each
 * (gh-ost's lag and its second chance, GitLab's archive queue and autovacuum), docs/governor.md.
 *
 * A stop lets no new batch begin; what runs ends within its 2 s. Where that can't be waited for, or has not helped, the stop is critical:
 * seen in two ticks in a row, all our work is cancelled, and nothing is tried for 30 s, then 60 s, to 10 minutes at most. Autovacuum,
 * checkpoints, few connections and declared queries are never critical: cancelling does not give back what they wait for, and
 * work that is cancelled is work done twice.
 */
import { plural } from '../words.js';
import { SENSES } from './types.js';
import type { HoldWhen, Reading, Readings, Sense } from './types.js';

interface Bound {
  readonly sense: Sense;
  /** Stops above it; or below it, where less is worse. */
  readonly stop: number;
  readonly below?: true;
  /** Critical beyond it. */
  readonly critical?: number;
  readonly says: (value: number) => string;
}

const GB = 1024 ** 3;

/** In the order in which they are told. */
const BOUNDS: readonly Bound[] = [
  {
    sense: 'blocked',
    stop: 0,
    critical: 0,
    says: (n) => `${n} of the warehouse's own ${n === 1 ? 'waits' : 'wait'} for a lock that sluice holds`,
  },
  {
    sense: 'slots_lost',
    stop: 0,
    critical: 0,
    says: (n) => `${plural(n, 'replication slot loses its', 'replication slots lose their')} WAL`,
  },
  { sense: 'lag_seconds', stop: 5, critical: 30, says: (s) => `a replica is ${round(s)} s behind, over 5` },
  {
    sense: 'lag_bytes',
    stop: GB,
    critical: 4 * GB,
    says: (b) => `a replica is ${round(b / GB)} GB of WAL behind, over 1`,
  },
  {
    sense: 'archive',
    stop: 42,
    critical: 420,
    says: (n) => `${plural(n, 'WAL segment waits', 'WAL segments wait')} to be archived, over 42`,
  },
  {
    sense: 'connections',
    stop: 5,
    below: true,
    says: (n) => `${plural(n, 'connection is', 'connections are')} left for others, under 5`,
  },
  {
    sense: 'checkpoints',
    stop: 1,
    says: (n) => `${plural(n, 'checkpoint was', 'checkpoints were')} forced within a minute`,
  },
  { sense: 'autovacuum', stop: 0, says: (n) => `autovacuum works on ${plural(n, 'table')} that sluice writes` },
];

/** A stop that is on. */
export interface Stop {
  /** The reading, `lag_seconds`, or the declared query, `hold_when lag`. */
  readonly reading: string;
  readonly critical: boolean;
  readonly reason: string;
}

/** All stops that are on; unknown readings stop nothing here. */
export function stopsIn({ sensed, declared }: Readings, holdWhen: readonly HoldWhen[]): Stop[] {
  const own = BOUNDS.flatMap(({ sense, stop, below = false, critical, says }): Stop[] => {
    const value = valueOf(sensed[sense]);
    if (value === null || (below ? value >= stop : value <= stop)) return [];
    return [{ reading: sense, critical: critical !== undefined && value > critical, reason: says(value) }];
  });
  const asked = holdWhen.flatMap(({ name, above }): Stop[] => {
    const value = valueOf(declared[name]);
    if (value === null || value <= above) return [];
    const reason = `hold_when ${name} is ${round(value)}, over ${above}`;
    return [{ reading: `hold_when ${name}`, critical: false, reason }];
  });
  return [...own, ...asked];
}

/** Something that is not known, and why. */
export interface Unknown {
  readonly reading: string;
  readonly reason: string;
}

/**
 * What must be known and is not: what the law needs, every declared query, and the reading that stopped us last: it counts as gone only
 * where it is seen to be gone.
 */
export function unknownIn(
  { sensed, declared }: Readings,
  needs: readonly Sense[],
  stoppedBy: string | undefined,
  holdWhen: readonly HoldWhen[],
): Unknown[] {
  const senses = SENSES.filter((sense) => needs.includes(sense) || sense === stoppedBy);
  const all: (readonly [string, Reading | undefined])[] = [
    ...senses.map((sense) => [sense, sensed[sense]] as const),
    ...holdWhen.map(({ name }) => [`hold_when ${name}`, declared[name]] as const),
  ];
  return all.flatMap(([reading, found]) => (valueOf(found) === null ? [{ reading, reason: whyUnknown(found) }] : []));
}

function whyUnknown(reading: Reading | undefined): string {
  if (!reading) return 'it was not measured';
  return reading.value === null ? reading.reason : `last measured ${Math.round(reading.ageMs / 1000)} s ago`;
}

/** A reading older than this is unknown: its source hangs, or is gone. */
const AGE_MAX_MS = 3000;

/** The number that a reading holds, null where it is unknown: absent, too old, or no number at all. */
export function valueOf(reading: Reading | undefined): number | null {
  if (!reading || reading.value === null || !Number.isFinite(reading.value)) return null;
  return reading.ageMs <= AGE_MAX_MS ? reading.value : null;
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
