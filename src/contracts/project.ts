import { z } from 'zod';
import { durationMs, parseDuration } from '../core/time/duration.js';
import { GRAINS } from '../core/time/axis.js';
import { isZone } from '../core/time/zone.js';

/**
 * The YAML of a project, key by key: what a person may write. Shapes only; what needs more than one key or file is checked in
 * `src/project`. A custom issue carries the code of its problem in `params`.
 */

export const PUBLISH = ['replace', 'merge', 'view'] as const;
export const MOVES = ['follow', 'fail'] as const;
export const SCAN = ['auto', 'once'] as const;
export const STORAGE = ['plain', 'partitioned'] as const;
export const EPOCH_UNITS = ['s', 'ms', 'us', 'ns'] as const;
export type EpochUnit = (typeof EPOCH_UNITS)[number];

const text = z.string();
const nonEmpty = z.string().min(1);

const zone = nonEmpty.refine(isZone, {
  params: { code: 'unknown_zone', remedy: 'write an IANA name, such as Europe/Berlin or UTC' },
  error: ({ input }) => `unknown time zone ${String(input)}`,
});

/** Beyond it the calendars of JavaScript and PostgreSQL end. */
const LENGTH_MAX_MS = durationMs({ months: 12_001, days: 0, ms: 0 });

/** `7d`, `12h`, `1d12h`, ISO `P7D`; `0` needs no unit. */
const duration = z.union([text, z.literal(0)]).transform((written, context) => {
  const parsed = parseDuration(written === 0 ? '0m' : written);
  const known = parsed !== undefined;
  if (known && durationMs(parsed) <= LENGTH_MAX_MS) return parsed;
  context.addIssue({
    code: 'custom',
    message: known ? `longer than 1,000 years: ${written}` : `not a duration: ${written}`,
    params: {
      code: 'invalid_duration',
      remedy: known
        ? 'write what is meant; to read all that there is: window: all'
        : 'write 15m, 2h, 7d, 1w, 3mo or 1y',
    },
  });
  return z.NEVER;
});

/** YAML reads `2013` as a number; a year is a time like any other. */
const time = z.union([text, z.int().transform(String)]);

const columns = z
  .array(nonEmpty)
  .min(1)
  .refine((names) => new Set(names).size === names.length, { error: 'names a column twice' });

/** Keys that `defaults:` may hold too. */
const shared = {
  description: text.optional(),
  owner: text.optional(),
  tags: z.array(nonEmpty).optional(),
  grain: z.enum(GRAINS).optional(),
  start: time.optional(),
  timezone: zone.optional(),
  allow: z.array(nonEmpty).optional(),
  publish: z.enum(PUBLISH).optional(),
  refresh: z.union([z.literal('never'), z.literal('always'), duration]).optional(),
  moves: z.enum(MOVES).optional(),
  storage: z.enum(STORAGE).optional(),
  mask: z.array(nonEmpty).optional(),
  grants: z.array(nonEmpty).optional(),
  ready_after: duration.optional(),
  on_schema_change: z.enum(['add', 'keep', 'fail']).optional(),
  coalesce: z.enum(['auto', 'always', 'never']).optional(),
  scan: z.enum(SCAN).optional(),
  priority: z.int().min(1).max(5).optional(),
  freshness: duration.optional(),
};

export const DefaultsYaml = z.strictObject(shared);
export type DefaultsYaml = z.output<typeof DefaultsYaml>;

export const NeedYaml = z.strictObject({
  lookback: duration.optional(),
  /** `interval`: of the same interval, on the author's word. */
  window: z.enum(['all', 'interval']).optional(),
  stale: z.literal('ignore').optional(),
});
export type NeedYaml = z.output<typeof NeedYaml>;

const own = {
  ...shared,
  table: nonEmpty.optional(),
  time: nonEmpty.optional(),
  key: columns.optional(),
  columns: z.record(nonEmpty, nonEmpty).optional(),
  needs: z.record(nonEmpty, NeedYaml.nullable()).optional(),
  reads: z.array(nonEmpty).optional(),
  pool: nonEmpty.optional(),
};

export const ExtractYaml = z.strictObject({
  from: nonEmpty,
  table: nonEmpty.optional(),
  query: nonEmpty.optional(),
  time: z.union([nonEmpty, z.strictObject({ column: nonEmpty, unit: z.enum(EPOCH_UNITS).optional() })]).optional(),
  source_timezone: zone.optional(),
});
/** What can be read of an extract that has mistakes. */
export const PartialExtractYaml = ExtractYaml.partial();
export type PartialExtractYaml = z.output<typeof PartialExtractYaml>;

export const CallYaml = z.strictObject({
  activity: nonEmpty,
  taskQueue: nonEmpty,
  timeout: duration,
  /** How long the activity may be silent before it counts as lost; without one only `timeout` tells. */
  heartbeat: duration.optional(),
});
/** What can be read of a call that has mistakes. */
export const PartialCallYaml = CallYaml.partial();
export type PartialCallYaml = z.output<typeof PartialCallYaml>;

/** Settings of a transform: the first block comment of a `.sql` file. */
export const TransformYaml = z.strictObject(own);
export type TransformYaml = z.output<typeof TransformYaml>;

/** A `.yaml` dataset. */
export const DatasetYaml = z.strictObject({ ...own, extract: ExtractYaml.optional(), call: CallYaml.optional() });
export type DatasetYaml = z.output<typeof DatasetYaml>;

/** A weekday's place in the week, 0 is Monday. */
const WEEKDAYS = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] as const;

/** `mon-fri`, `sat`, `mon,wed`, `fri-mon` (over the week's end), `all`. */
const days = z.union([text, z.array(text).min(1)]).transform((written, context) => {
  const parts = (typeof written === 'string' ? written.split(',') : written).map((part) => part.trim().toLowerCase());
  const found = parts.map(daysOf);
  if (found.every((part) => part.length > 0)) return [...new Set(found.flat())].sort((a, b) => a - b);
  context.addIssue({
    code: 'custom',
    message: `not weekdays: ${String(written)}`,
    params: { code: 'bad_days', remedy: 'write mon-fri, sat, [mon, wed] or all' },
  });
  return z.NEVER;
});

function daysOf(part: string): number[] {
  if (part === 'all') return [0, 1, 2, 3, 4, 5, 6];
  const [first, last, ...rest] = part.split('-').map((name) => WEEKDAYS.findIndex((day) => day === name.trim()));
  if (first === undefined || first < 0 || rest.length > 0) return [];
  if (last === undefined) return [first];
  return last < 0 ? [] : Array.from({ length: ((last - first + 7) % 7) + 1 }, (_, i) => (first + i) % 7);
}

/** Minutes of the day; 24:00 is its end. */
const clock = text.transform((written, context) => {
  const [, hours, minutes] = /^(\d{1,2}):(\d{2})$/.exec(written) ?? [];
  const at = Number(hours) * 60 + Number(minutes);
  if (Number(minutes) < 60 && at <= 1440) return at;
  context.addIssue({
    code: 'custom',
    message: `not a time of day: ${written}`,
    params: { code: 'bad_time', remedy: 'write "08:00"; the end of a day is "24:00"' },
  });
  return z.NEVER;
});

const slots = z.int().max(10_000);
/** Batches a second. Nothing between never and one in 17 minutes: what it would mean by the day is a window's business. */
const rate = z
  .number()
  .min(0)
  .max(10_000)
  .refine((value) => value === 0 || value >= 0.001, { error: 'at least 0.001 batches a second, or 0 for none' });

export const WindowYaml = z.strictObject({
  days: days.optional(),
  from: clock,
  to: clock,
  timezone: zone.optional(),
  /** 0 is a blackout. */
  slots: slots.min(0),
  rate: rate.optional(),
});
export type WindowYaml = z.output<typeof WindowYaml>;

export const HoldWhenYaml = z.strictObject({ name: nonEmpty, query: nonEmpty, above: z.number() });
export type HoldWhenYaml = z.output<typeof HoldWhenYaml>;

export const LAWS = ['fixed', 'adaptive'] as const;

/** Each second all windows are looked at and all declared queries run; more of them is a mistake. */
const BudgetYaml = z.strictObject({
  law: z.enum(LAWS).optional(),
  /** With `law: adaptive` the most that it may use. */
  slots: slots.min(1).optional(),
  rate: rate.optional(),
  /** vCPUs of the database, which it does not tell; `adaptive` begins to look for the knee there. */
  cores: z.int().min(1).max(4096).optional(),
  windows: z.array(WindowYaml).max(50).optional(),
  hold_when: z.array(HoldWhenYaml).max(20).optional(),
});
export type BudgetYaml = z.output<typeof BudgetYaml>;

export const ConnectionYaml = z.strictObject({
  type: z.literal('postgres'),
  url: nonEmpty.optional(),
  budget: BudgetYaml.optional(),
  /** Connections of its replicas: read while it does not answer. */
  alternates: z.array(nonEmpty).max(10).optional(),
});
export type ConnectionYaml = z.output<typeof ConnectionYaml>;

/**
 * Whether a number is still the one that was written: of more digits than a double holds it is another one by now, and nothing tells.
 */
export function isExact(value: number): boolean {
  const [digits = ''] = String(Math.abs(value)).split('e');
  return Number.isSafeInteger(value) || digits.replace('.', '').replace(/^0+|0+$/g, '').length <= 15;
}

export const INEXACT = 'has more digits than a number keeps';
export const INEXACT_REMEDY =
  "write it as a text, and cast it in the SQL: flags: { x: '9007199254740993' }, :flag_x::bigint";

/** A value of a flag. */
export const FlagValue = z.union(
  [
    z.string().max(1_000),
    z.number().refine(isExact, { error: INEXACT, params: { code: 'bad_flag', remedy: INEXACT_REMEDY } }),
    z.boolean(),
  ],
  { error: 'write a text, a number, true or false' },
);
export type FlagValue = z.output<typeof FlagValue>;

/** `retention_days: 90` is `:flag_retention_days` in SQL. */
export const FlagsYaml = z.record(
  z.string().regex(/^[a-z][a-z0-9_]{0,50}$/, 'a flag is named in lower case: letters, digits and _'),
  FlagValue,
);
export type FlagsYaml = z.output<typeof FlagsYaml>;

export const EnvironmentYaml = z.strictObject({
  schema: nonEmpty.optional(),
  /** Merged, key by key, into the connections of the same name. */
  connections: z.record(z.string(), ConnectionYaml.partial()).optional(),
  /** Over the project's own. */
  flags: FlagsYaml.optional(),
  defer: nonEmpty.optional(),
  protected: z.boolean().optional(),
});
export type EnvironmentYaml = z.output<typeof EnvironmentYaml>;

/** Partitions that a request without a range may build unasked. */
export const CONFIRM_PARTITIONS = 10_000;

/** `sluice.yaml`. */
export const ProjectYaml = z.strictObject({
  project: nonEmpty,
  timezone: zone.default('UTC'),
  connections: z.record(z.string(), ConnectionYaml),
  warehouse: nonEmpty,
  schema: nonEmpty,
  flags: FlagsYaml.optional(),
  /** Batches at work at once of the datasets that name it, within the warehouse's slots. */
  pools: z.record(z.string(), z.strictObject({ slots: slots.min(1) })).optional(),
  /** A request without a range that builds more is carried out only after somebody said so. */
  confirm: z.strictObject({ partitions: z.int().min(0) }).optional(),
  defaults: DefaultsYaml.optional(),
  environments: z.record(z.string(), EnvironmentYaml.nullable()).optional(),
});
export type ProjectYaml = z.output<typeof ProjectYaml>;
