/**
 * The states of a partition within one backfill, and every legal step between them.
 *
 * `waiting`, `ready`, `blocked` and `skipped` (where nobody skipped it here) follow from what the upstreams told; `running`,
 * `done` and `failed` are this dataset's own doing. An input that is done stays done, so nothing that was ready goes back to waiting.
 * `ready` says nothing of the order in which a dataset that reads itself is built.
 */
export const STATES = ['waiting', 'ready', 'running', 'done', 'failed', 'blocked', 'skipped'] as const;
export type State = (typeof STATES)[number];

/** The byte that stands for a state. */
export const CODE = {
  waiting: 0,
  ready: 1,
  running: 2,
  done: 3,
  failed: 4,
  blocked: 5,
  skipped: 6,
} as const satisfies Record<State, number>;

/** Which state may follow which, and when that happens. What is not here never happens. */
export const TRANSITIONS = {
  waiting: {
    ready: 'The last of its inputs was done.',
    blocked: 'One of its inputs failed, or is blocked itself.',
    skipped: 'A person skipped it, or one of its inputs.',
  },
  ready: {
    running: 'It was picked into a slice.',
    done: 'An attempt given up for lost had published it; its report came late.',
    blocked: 'It reads its own dataset, and an earlier partition failed.',
    skipped: 'A person skipped it, or an earlier partition of its own dataset that it reads.',
  },
  running: {
    ready: 'Its batch was given back or failed, and will be tried again, whole or in halves.',
    done: 'Its batch was published.',
    failed: 'It failed by itself in a way that trying again does not mend, or too often.',
  },
  done: {},
  failed: {
    ready: 'A person asked to retry it.',
    done: 'An attempt given up for lost had published it; its report came late.',
    skipped: 'A person skipped it.',
  },
  blocked: {
    waiting: 'The failed input is being tried again.',
    ready: 'The failed input was tried again and is done.',
    skipped: 'A person skipped it, or one of its inputs.',
  },
  skipped: {
    waiting: 'The skipped input is to be built after all.',
    ready: 'The skipped input is done after all.',
    blocked: 'The skipped input is to be built after all, and another one failed.',
    done: 'It had been published before it was skipped; the report came late.',
  },
} as const satisfies Record<State, Partial<Record<State, string>>>;

const legal = new Set<number>();
for (const from of STATES) {
  for (const to of STATES) if (to in TRANSITIONS[from]) legal.add(CODE[from] * STATES.length + CODE[to]);
}

/** Whether a partition in the state coded `from` may enter the one coded `to`. Staying is not a step. */
export function isLegal(from: number, to: number): boolean {
  return legal.has(from * STATES.length + to);
}

/** The name of a code, for messages. */
export function stateName(code: number): string {
  return STATES[code] ?? `state ${code}`;
}
