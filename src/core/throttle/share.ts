/**
 * Who goes first where backfills share a database's slots: whoever holds the fewest for its weight. A session that has just ended a batch asks
 * first, so without this rule it took its own slot again and again until its slice was over: of two alike backfills the one that came three
 * seconds later got a fifth of what the first had (`bench/fairness.ts`).
 *
 * A priority counts twice as much as the next. A slot is whole, so what its weight gives a patient backfill is mostly less than one: then it is
 * given way to now and then, as often as its weight says, and none waits for ever.
 */

/** A backfill at a gate, as the others' sessions show it: the asking one is not counted. */
export interface Contender {
  readonly epoch: number;
  /** 1 to 5, 1 is first. */
  readonly priority: number;
  readonly held: number;
  /** Sessions that ask for a slot, and have lately. */
  readonly waiting: number;
  /** Slots that were handed to it a moment ago. */
  readonly given: number;
}

/** What a session that could have a slot does: it takes it, waits, or waits and hands it to another backfill. */
export type Choice = { readonly kind: 'take' | 'wait' } | { readonly kind: 'give'; readonly to: number };

/**
 * @param had - whether it held a slot until now
 * @param chance - from 0 to under 1
 */
export function choose(contenders: readonly Contender[], epoch: number, had: boolean, chance: number): Choice {
  const me = contenders.find((one) => one.epoch === epoch) ?? { held: 0, waiting: 0, given: 0, priority: 3 };
  const rivals = contenders.filter((one) => one.epoch !== epoch && one.waiting > 0);
  const [first] = rivals.sort((a, b) => burden(a) - burden(b));
  if (!first) return { kind: 'take' };
  if (had) {
    // One that has nothing, and by its weight should have less than a slot, gets one as often as its weight says.
    const gives = burden(me) >= burden(first) || (first.held === 0 && chance < weightOf(first) / weightOf(me));
    return gives ? { kind: 'give', to: first.epoch } : { kind: 'take' };
  }
  if (me.given > 0) return { kind: 'take' };
  if (rivals.some(({ given }) => given > 0) || burden(me) > burden(first)) return { kind: 'wait' };
  // Of two that deserve it alike each has the same chance, however many sessions ask for it.
  return { kind: burden(me) === burden(first) && chance * (me.waiting + 1) >= 1 ? 'wait' : 'take' };
}

/** What it would hold with one more, for its weight. */
function burden(one: Pick<Contender, 'held' | 'priority'>): number {
  return (one.held + 1) / weightOf(one);
}

function weightOf({ priority }: Pick<Contender, 'priority'>): number {
  return 2 ** (3 - priority);
}
