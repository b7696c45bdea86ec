import { z } from 'zod';
import { parseDuration } from '../core/time/duration.js';
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

/** `7d`, `12h`, `1d12h`, ISO `P7D`; `0` needs no unit. */
const duration = z.union([text, z.literal(0)]).transform((written, context) => {
  const parsed = parseDuration(written === 0 ? '0m' : written);
  if (parsed) return parsed;
  context.addIssue({
    code: 'custom',
    message: `not a duration: ${written}`,
    params: { code: 'invalid_duration', remedy: 'write 15m, 2h, 7d, 1w, 3mo or 1y' },
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
  on_schema_change: z.enum(['add', 'fail']).optional(),
  coalesce: z.enum(['auto', 'always', 'never']).optional(),
  scan: z.enum(SCAN).optional(),
  priority: z.int().min(1).max(5).optional(),
  freshness: duration.optional(),
};

export const DefaultsYaml = z.strictObject(shared);
export type DefaultsYaml = z.output<typeof DefaultsYaml>;

export const NeedYaml = z.strictObject({
  lookback: duration.optional(),
  window: z.literal('all').optional(),
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

const BudgetYaml = z.strictObject({ slots: z.int().min(1).optional(), rate: z.number().min(0).optional() });

export const ConnectionYaml = z.strictObject({
  type: z.literal('postgres'),
  url: nonEmpty.optional(),
  budget: BudgetYaml.optional(),
});
export type ConnectionYaml = z.output<typeof ConnectionYaml>;

/** A value of a flag. */
export const FlagValue = z.union([z.string().max(1_000), z.number(), z.boolean()], {
  error: 'write a text, a number, true or false',
});
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

/** `sluice.yaml`. */
export const ProjectYaml = z.strictObject({
  project: nonEmpty,
  timezone: zone.default('UTC'),
  connections: z.record(z.string(), ConnectionYaml),
  warehouse: nonEmpty,
  schema: nonEmpty,
  flags: FlagsYaml.optional(),
  defaults: DefaultsYaml.optional(),
  environments: z.record(z.string(), EnvironmentYaml.nullable()).optional(),
});
export type ProjectYaml = z.output<typeof ProjectYaml>;
