/** What speaks against joining, each with its reason in words; `x` is what was found. */
export const REASONS = {
  reads_itself: () => 'it reads its own earlier partitions',
  parameter: () => ':start or :end is used elsewhere than in `column >= :start AND column < :end`',
  lookback: (x: string) => `it reads rows before or after its interval, by ${x}`,
  bounds: (x: string) => `${x} is not limited to \`>= :start AND < :end\`: neighbours would share a border`,
  cast: (x: string) => `the limit of ${x} is cast, which joins hours when clocks go back`,
  unqualified: (x: string) => `the limit on ${x} does not say which table it is of`,
  two_limits: (x: string) => `${x} is limited on two columns, which may lie in different partitions`,
  time_column: (x: string) => `${x} is not the limited column itself, nor cut to a unit of the grain`,
  aggregate: () => 'a GROUP BY lacks the partition’s time',
  grouping_sets: () => 'GROUPING SETS, ROLLUP and CUBE group without the partition’s time',
  window: (x: string) => `${x}() OVER is not PARTITION BY the partition’s time`,
  distinct: () => 'a DISTINCT lacks the partition’s time',
  limit: () => 'a LIMIT or OFFSET counts rows of the whole interval',
  set_operation: () => 'UNION, INTERSECT and EXCEPT of limited queries are not followed',
  join: () => 'two limited tables are joined without equality of their times',
  outer_join: () => 'an outer join keeps rows that belong to no partition',
  sub_select: () => 'a sub-select in an expression is limited to the interval',
  lateral: () => 'a LATERAL query is limited to the interval',
  recursion: () => 'WITH RECURSIVE is not followed',
  order_dependent: (x: string) => `${x} without ORDER BY depends on the order in which rows are read`,
  function: (x: string) => `${x} is not among the functions known to give the same answer in any statement`,
  construct: (x: string) => `${x} is not followed`,
} as const satisfies Record<string, (x: string) => string>;

/** Codes of refusals, and two rules by which a time stops being one: of a row that an outer join left empty, of a unit that spans partitions. */
export type Check = keyof typeof REASONS | 'nullable' | 'unit';

export interface Refusal {
  readonly code: keyof typeof REASONS;
  readonly reason: string;
}

/** Gathers what speaks against joining. The judge goes on after a refusal: that is how tests can leave one check out. */
export class Objections {
  readonly #found: Refusal[] = [];
  readonly #without: ReadonlySet<Check>;

  constructor(without: ReadonlySet<Check>) {
    this.#without = without;
  }

  refuse(code: keyof typeof REASONS, what = ''): void {
    if (!this.#without.has(code)) this.#found.push({ code, reason: REASONS[code](what) });
  }

  /** Whether a rule holds: always, but for a test that leaves it out. */
  holds(check: Check): boolean {
    return !this.#without.has(check);
  }

  first(): Refusal | null {
    return this.#found[0] ?? null;
  }
}
