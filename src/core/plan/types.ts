import type { Need } from '../graph/need.js';
import type { Instant, Interval } from '../interval/interval.js';
import type { Run } from '../interval/runs.js';
import type { Axis } from '../time/axis.js';
import type { Duration } from '../time/duration.js';

/** What planning needs to know of a dataset; `project.Dataset` has this shape. */
export interface PlanNode {
  readonly name: string;
  readonly axis: Axis;
  /** First instant; `-Infinity` for `grain: none`. */
  readonly start: Instant;
  readonly readyAfter: Duration;
  readonly needs: readonly Need[];
  /** `grain: none` only. */
  readonly refresh: 'never' | 'always' | Duration;
  /** `grain: none` only: upstreams of which its SQL reads more than what lies before `:end`, so what lies beyond the first gap too. */
  readonly unbounded?: readonly string[];
}

/** Adjacent published partitions of one length that share a verdict, as the store reads them from the ledger. */
export interface LedgerRun extends Run {
  /**
   * Why they are stale; null when fresh. `early`: published before its end, and so as good as not at all. `columns`: they lack a column that
   * the source has. `moved`: a row of it went to another partition. `unseen`: a `grain: none` transform has an input partition that it never read.
   */
  readonly stale: 'early' | 'definition' | 'columns' | 'inputs' | 'moved' | 'unseen' | null;
  /** Latest `published_at` among them, for `refresh: <duration>`. */
  readonly publishedAt: Instant;
}

/** A range as resolved from `--from/--to`, `--last`, `--on` or nothing, in the project's zone. */
export interface PlanRange {
  /** `undefined`: from each dataset's start. */
  readonly from?: Instant;
  /** `undefined`: to each dataset's last complete partition. */
  readonly to?: Instant;
  /** When it was asked for, where that is not now: what was not complete then was not asked for. */
  readonly askedAt?: Instant;
}

/** What is read again, for its source was mended. */
export interface Reread {
  /** What failed, by dataset. */
  readonly failed: ReadonlyMap<string, readonly Interval[]>;
  /** Datasets that may be built again for it. */
  readonly may: ReadonlySet<string>;
}

export interface PlanInput {
  /** The whole project, in topological order. */
  readonly nodes: readonly PlanNode[];
  readonly selected: ReadonlySet<string>;
  readonly range: PlanRange;
  /** The range is a bound: nothing outside of it is built, also where something in it reads that or is read by it. */
  readonly only?: boolean;
  readonly rebuild: 'missing' | 'stale' | 'all';
  readonly now: Instant;
  readonly ledger: ReadonlyMap<string, readonly LedgerRun[]>;
  /** What must not be built: held by another backfill (`--on-conflict skip`), or done already (`retry --with-current`). */
  readonly exclude: ReadonlyMap<string, readonly Interval[]>;
  /** `retry --upstream`. */
  readonly reread?: Reread | undefined;
}

/** `count` successive values: the i-th is `at + ⌊i / every⌋ · step`. */
export interface StepRun {
  readonly count: number;
  readonly at: number;
  readonly step: number;
  readonly every: number;
}

/** What the i-th partition that a reader builds waits for, in ordinals of one upstream: `[lo, hi)`, each a run-length encoded staircase. */
export interface Mapping {
  readonly lo: readonly StepRun[];
  readonly hi: readonly StepRun[];
}

/** Partitions outside of what was asked that are built all the same. */
export interface Outside {
  /** They read what is built. */
  readonly readers: number;
  /** What is built reads them, and they are not there. */
  readonly inputs: number;
}

export interface PlannedDataset {
  readonly name: string;
  /** Partitions to build, ascending. */
  readonly runs: readonly Run[];
  /** Adjacent partitions with one reason. */
  readonly intervals: readonly (Interval & { readonly why: string })[];
  /** The range asked of it, rounded out; null for one that only joined as an upstream or by the ripple. */
  readonly asked: Interval | null;
  /** Counts over `asked` (over what is built where nothing was asked). */
  readonly missing: number;
  readonly stale: number;
  readonly upToDate: number;
  /** Built outside of what was asked of it; null where no range was asked for. */
  readonly outside: Outside | null;
  /** Stale, within what was asked of it, and not built: how many, by why they are stale. */
  readonly notAsked: readonly { readonly why: string; readonly partitions: number }[];
  readonly edges: readonly { readonly upstream: string; readonly mapping: Mapping }[];
  /** `grain: none`: what its upstreams cover from their start to the first gap. */
  readonly window?: Interval;
}

export interface PlanNotice {
  readonly dataset: string;
  /**
   * `rounded_out` · `before_start` · `not_complete_yet` (itself, or something that it reads) · `input_excluded` · `input_outside` ·
   * `nothing_to_read` (`grain: none`: its upstreams have a gap at their start).
   */
  readonly code: string;
  readonly message: string;
}

export interface PlanResult {
  /** Datasets that were selected, in topological order, also those with nothing to build. */
  readonly datasets: readonly PlannedDataset[];
  /**
   * Published partitions that read what is rebuilt, directly or through others, and are not rebuilt: of unselected datasets,
   * and of selected ones that are excluded, outside of the range that is a bound, or read through an unselected one.
   */
  readonly leavesStale: readonly {
    readonly dataset: string;
    readonly intervals: readonly Interval[];
    readonly partitions: number;
    /** How many of them only for the range that is a bound. */
    readonly outside: number;
  }[];
  readonly notices: readonly PlanNotice[];
  /** Unselected upstreams that a partition to build reads and the ledger lacks: the request is refused. */
  readonly uncovered: readonly {
    readonly dataset: string;
    readonly reader: string;
    readonly intervals: readonly Interval[];
  }[];
  /** True when the range leaves no selected dataset anything that could be planned (before every start, or not complete yet). */
  readonly empty: boolean;
}
