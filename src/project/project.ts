import type { EpochUnit, FlagValue, LAWS, MOVES, PUBLISH, SCAN, STORAGE } from '../contracts/project.js';
import { scopeName } from '../contracts/scope.js';
import type { TableName } from '../contracts/table.js';
import type { Need } from '../core/graph/need.js';
import type { Instant } from '../core/interval/interval.js';
import type { HoldWhen } from '../core/throttle/types.js';
import type { Window } from '../core/throttle/windows.js';
import type { Axis } from '../core/time/axis.js';
import type { Duration } from '../core/time/duration.js';

export interface Budget {
  readonly law: (typeof LAWS)[number];
  /** Batches at work at once on that database, over all workers, backfills and projects; with `adaptive` the most. */
  readonly slots: number;
  /** Batches per second. */
  readonly rate?: number;
  /** vCPUs of the database, where a person said. */
  readonly cores?: number;
  /** No two are open at once. */
  readonly windows: readonly Window[];
  readonly holdWhen: readonly (HoldWhen & {
    /** One SELECT, without parameters. */
    readonly query: string;
  })[];
}

export interface Connection {
  readonly name: string;
  readonly type: 'postgres';
  /** As written, `${VAR}` unresolved: only the process that connects resolves it, on every connect. */
  readonly url: string;
  readonly budget: Budget;
  /** Connections that are read while it does not answer, in this order. */
  readonly alternates: readonly string[];
}

/** Where a table of an extract or a transform's SQL stands in the text, for errors and for rewriting. */
export interface Relation {
  /** As written; `schema` absent when bare. Unquoted names are folded to lower case as PostgreSQL does. */
  readonly schema?: string;
  readonly name: string;
  /** Offsets of the name (schema included) in `statement`, in UTF-16 units. */
  readonly start: number;
  readonly end: number;
  /** Where ` AS "alias"` would go: `end`, or past the `*` or the bracket of `ONLY (…)` that follows. */
  readonly aliasAt: number;
  readonly line: number;
  readonly column: number;
  /** The dataset it names; absent for a table outside the project. */
  readonly dataset?: string;
  /** Whether the SQL gives it an alias; where not, rewriting adds one. */
  readonly aliased: boolean;
}

export interface ExtractBody {
  readonly kind: 'extract';
  /** Name of the connection that is read. */
  readonly from: string;
  /** One of the two. */
  readonly table?: TableName;
  /** One SELECT with `$1` for `:start` and `$2` for `:end`, wherever it uses them. */
  readonly query?: Statement;
  /** Event time; absent for `grain: none`. */
  readonly time?: { readonly column: string; readonly unit?: EpochUnit };
  readonly sourceTimezone?: string;
}

/** A parsed SELECT. */
export interface Statement {
  /** `:start` is `$1`, `:end` is `$2`; otherwise the author's text, header comment included. */
  readonly text: string;
  /** Offsets of `$1` and `$2` in `text`. */
  readonly params: readonly { readonly start: number; readonly end: number; readonly name: 'start' | 'end' }[];
  readonly relations: readonly Relation[];
  /** Names of the functions it calls, schema-qualified where written so. */
  readonly functions: readonly string[];
}

export interface TransformBody {
  readonly kind: 'transform';
  readonly statement: Statement;
}

/** An activity of the user's own, on the user's own worker; the dataset has no table, and `Dataset.table` is never made. */
export interface CallBody {
  readonly kind: 'call';
  readonly activity: string;
  readonly taskQueue: string;
  readonly timeoutMs: number;
  readonly heartbeatMs?: number;
}

/** One checked dataset. */
export interface Dataset {
  readonly name: string;
  /** Relative to the project's folder, with `/`. */
  readonly file: string;
  readonly axis: Axis;
  /** First instant; `-Infinity` for `grain: none`. Rounded down to a partition's border. */
  readonly start: Instant;
  readonly readyAfter: Duration;
  readonly table: TableName;
  /** Output column that holds the partition's time (for an extract, `extract.time`'s); null for `grain: none`. */
  readonly time: string | null;
  readonly key: readonly string[];
  /** Every dataset it reads, sorted by name; refined by `needs:`. */
  readonly needs: readonly Need[];
  /** Tables outside the project that the SQL may read. */
  readonly reads: readonly TableName[];
  readonly allow: readonly string[];
  readonly publish: (typeof PUBLISH)[number];
  /** What becomes of a row whose event time moved to another partition. */
  readonly moves: (typeof MOVES)[number];
  /** `partitioned`: its table is PARTITION BY RANGE of `time`, and sluice makes the PostgreSQL partitions that it needs. */
  readonly storage: (typeof STORAGE)[number];
  readonly onSchemaChange: 'add' | 'keep' | 'fail';
  readonly refresh: 'never' | 'always' | Duration;
  /** Upstreams in which the SQL of a `grain: none` transform does not stop at `:end`, as far as that is proven. */
  readonly unbounded?: readonly string[];
  readonly mask: readonly string[];
  /** Roles that may read its table. */
  readonly grants: readonly string[];
  readonly coalesce: 'auto' | 'always' | 'never';
  /** Whether an extract's partitions are read by one scan of the source: as its planner finds it cheaper, or always. */
  readonly scan: (typeof SCAN)[number];
  readonly priority: number;
  /** Whose slots its batches take besides the warehouse's. */
  readonly pool?: string;
  readonly owner?: string;
  readonly tags: readonly string[];
  readonly description?: string;
  /** Declared types of its columns, as written. */
  readonly columns: readonly { readonly name: string; readonly type: string }[];
  /** How late it may be. */
  readonly freshness?: Duration;
  /** Definition version: 16 hex digits over what decides its content (parse tree without locations, axis, time, key, mappings, …). */
  readonly version: string;
  readonly body: ExtractBody | TransformBody | CallBody;
}

/** A project that `validate` accepts, in one environment. */
export interface Project {
  readonly name: string;
  readonly environment: string;
  readonly timezone: string;
  readonly connections: ReadonlyMap<string, Connection>;
  /** Name of the connection that datasets are written to. */
  readonly warehouse: string;
  readonly schema: string;
  readonly protected: boolean;
  /** The environment that is read for what this one has not built. */
  readonly defer?: string;
  /** Values of its flags in this environment: what SQL knows as `:flag_<name>`. */
  readonly flags: ReadonlyMap<string, FlagValue>;
  /** Slots of its pools. */
  readonly pools: ReadonlyMap<string, number>;
  /** A request without a range that builds more partitions than this must be confirmed. */
  readonly confirm: number;
  /** In topological order: what is read comes first; ties by name. */
  readonly datasets: ReadonlyMap<string, Dataset>;
  /** Hash of its files, connection URLs left out: names a definition. */
  readonly hash: string;
  /** The files by path, connection URLs left out of `sluice.yaml`: what is registered in the store. */
  readonly files: Readonly<Record<string, string>>;
}

/** `<project>`, or `<project>@<environment>` where the environment is not `default`. */
export function scopeOf({ name, environment }: { name: string; environment: string }): string {
  return scopeName(name, environment);
}
