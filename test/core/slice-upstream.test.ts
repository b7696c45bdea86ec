import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { Board, News, UpstreamEdge } from '../../src/core/slice/board.js';
import {
  NO_VERSION,
  createBoard,
  halt,
  markDone,
  markFailed,
  markRunning,
  news,
  retryFailed,
  settled,
  skip,
} from '../../src/core/slice/board.js';
import { fromCarry, toCarry } from '../../src/core/slice/carry.js';
import { spansOf } from '../../src/core/slice/spans.js';
import { CODE } from '../../src/core/slice/states.js';
import { applyUpstream, beginRound, lastVersionOf } from '../../src/core/slice/upstream.js';
import { edgeTo, expectedStates, identity, mappingOf, newsOf, statesOf, tell } from './slice-kit.js';

/** Through JSON, as continue-as-new sends it. */
function throughCarry(board: Board, edges: readonly UpstreamEdge[]): Board {
  const carry = toCarry(board);
  const sent: typeof carry = JSON.parse(JSON.stringify(carry));
  assert.deepEqual(sent, carry);
  return fromCarry(sent, board.count, edges);
}

interface Telling {
  readonly upstream: string;
  readonly news: News;
}

/** A board's edges and news from all of its upstreams: some lost, some doubled, in any order. */
const tellings = fc.nat(10).chain((count) =>
  fc.tuple(edgeTo('a', count), edgeTo('b', count)).chain((edges) =>
    fc.tuple(...edges.map((edge) => newsOf(edge.upstreamCount))).chain((sent) => {
      const all = sent.flatMap((list, i) => list.map((one): Telling => ({ upstream: edges[i]!.upstream, news: one })));
      const heard =
        all.length === 0 ? fc.constant<Telling[]>([]) : fc.array(fc.constantFrom(...all), { maxLength: 15 });
      return heard.map((order) => ({ count, edges, order }));
    }),
  ),
);

describe('applyUpstream', () => {
  it('gives what a brute-force model gives, for news in any order, doubled or lost, carried over or not', () => {
    fc.assert(
      fc.property(tellings, fc.nat(15), ({ count, edges, order }, carryAt) => {
        let board = createBoard(count, edges);
        const told = new Map<string, News[]>();
        for (const [step, { upstream, news: one }] of order.entries()) {
          const before = statesOf(board);
          const changed = applyUpstream(board, upstream, one);
          told.set(upstream, [...(told.get(upstream) ?? []), one]);
          assert.deepEqual(statesOf(board), expectedStates(count, edges, told));
          assert.equal(changed, JSON.stringify(before) !== JSON.stringify(statesOf(board)));
          if (step === carryAt) board = throughCarry(board, edges);
        }
      }),
      { numRuns: 500 },
    );
  });

  it('never undoes what is done by older news', () => {
    const board = createBoard(3, [identity('a', 3)]);
    applyUpstream(board, 'a', tell(5, { done: [[0, 2]] }));
    applyUpstream(board, 'a', tell(3, { done: [[0, 1]], failed: [[1, 3]], skipped: [[1, 2]] }));
    assert.deepEqual(statesOf(board), ['ready', 'ready', 'waiting']);
    applyUpstream(board, 'a', tell(6, { done: [[2, 3]], failed: [[0, 3]] }));
    assert.deepEqual(statesOf(board), ['ready', 'ready', 'ready']);
  });

  it('joins what is done from older news', () => {
    const board = createBoard(2, [identity('a', 2)]);
    applyUpstream(board, 'a', tell(2, { done: [[0, 1]] }));
    applyUpstream(board, 'a', tell(1, { done: [[1, 2]] }));
    assert.deepEqual(statesOf(board), ['ready', 'ready']);
  });

  it('frees what was blocked when the failure is retried', () => {
    const board = createBoard(2, [identity('a', 2)]);
    applyUpstream(board, 'a', tell(1, { failed: [[0, 2]] }));
    assert.deepEqual(statesOf(board), ['blocked', 'blocked']);
    applyUpstream(board, 'a', tell(2, { done: [[0, 1]] }));
    assert.deepEqual(statesOf(board), ['ready', 'waiting']);
  });

  it('takes what the ledger has without losing what failed', () => {
    const board = createBoard(2, [identity('a', 2)]);
    applyUpstream(board, 'a', tell(1, { failed: [[0, 1]] }));
    applyUpstream(board, 'a', tell(NO_VERSION, { done: [[1, 2]] }));
    assert.deepEqual(statesOf(board), ['blocked', 'ready']);
  });

  it('says skipped rather than blocked, whichever input is which', () => {
    const wide = (upstream: string): UpstreamEdge => ({
      ...identity(upstream, 1),
      upstreamCount: 2,
      mapping: mappingOf([[0, 2]]),
    });
    const within = createBoard(1, [wide('a')]);
    applyUpstream(within, 'a', tell(1, { failed: [[0, 1]], skipped: [[1, 2]] }));
    assert.deepEqual(statesOf(within), ['skipped']);
    const across = createBoard(1, [wide('a'), wide('b')]);
    applyUpstream(across, 'a', tell(1, { skipped: [[0, 1]] }));
    applyUpstream(across, 'b', tell(1, { failed: [[0, 1]] }));
    assert.deepEqual(statesOf(across), ['skipped']);
  });

  it('refuses news from a stranger and ordinals that the upstream has not', () => {
    const board = createBoard(2, [identity('a', 2)]);
    assert.throws(() => applyUpstream(board, 'b', tell(0, {})), /news from b/);
    assert.throws(() => applyUpstream(board, 'a', tell(0, { done: [[1, 3]] })), RangeError);
  });

  it('holds ten years of hours that each read a week', () => {
    const count = 87_600;
    const edge: UpstreamEdge = {
      ...identity('a', count),
      mapping: {
        lo: [
          { count: 168, at: 0, step: 0, every: 1 },
          { count: count - 168, at: 1, step: 1, every: 1 },
        ],
        hi: [{ count, at: 1, step: 1, every: 1 }],
      },
    };
    const board = createBoard(count, [edge]);
    applyUpstream(board, 'a', tell(0, { done: [[0, 50_000]], failed: [[60_000, 60_001]] }));
    assert.deepEqual(spansOf(board.states, CODE.ready), [[0, 50_000]]);
    assert.deepEqual(spansOf(board.states, CODE.blocked), [[60_000, 60_168]]);
    assert.ok(JSON.stringify(toCarry(board)).length < 1_000);
  });
});

describe('a chain of datasets', () => {
  it('passes failure, halt, skip and retry on to whoever reads', () => {
    const [a, b, c] = [createBoard(4, []), createBoard(4, [identity('a', 4)]), createBoard(4, [identity('b', 4)])];
    const spread = (): void => {
      applyUpstream(b, 'a', news(a));
      applyUpstream(c, 'b', news(b));
    };
    const build = (board: Board): void => {
      const ready = spansOf(board.states, CODE.ready);
      markRunning(board, ready);
      markDone(board, ready);
    };
    markRunning(a, [[0, 3]]);
    markDone(a, [[0, 1]]);
    markFailed(a, [[1, 2]]);
    skip(a, [3, 4]);
    spread();
    assert.deepEqual(statesOf(c), ['waiting', 'blocked', 'waiting', 'skipped']);
    halt(b);
    spread();
    assert.deepEqual(statesOf(c), ['blocked', 'blocked', 'blocked', 'skipped']);
    assert.equal(settled(c), true);
    b.halted = false;
    b.version++;
    retryFailed(a);
    markDone(a, [[2, 3]]);
    build(a);
    spread();
    build(b);
    spread();
    build(c);
    assert.deepEqual(statesOf(c), ['done', 'done', 'done', 'skipped']);
    assert.ok([a, b, c].every(settled));
  });
});

describe('carry', () => {
  /** Own doings, each harmless where it does not apply. */
  const deeds = fc.array(
    fc.tuple(fc.constantFrom('run', 'done', 'fail', 'retry', 'skip', 'halt', 'tell'), fc.nat(10)),
    { maxLength: 25 },
  );

  it('brings every state back, running as ready, and the same news', () => {
    fc.assert(
      fc.property(tellings, deeds, ({ count, edges, order }, list) => {
        const board = createBoard(count, edges);
        const rest = [...order];
        for (const [deed, ordinal] of list) act(board, deed, ordinal, rest);
        const back = throughCarry(board, edges);
        assert.deepEqual(
          statesOf(back),
          statesOf(board).map((state) => (state === 'running' ? 'ready' : state)),
        );
        assert.deepEqual(back.skips, board.skips);
        if (!statesOf(board).includes('running')) assert.deepEqual(back, board);
        else if (!board.halted) assert.deepEqual(news(back), news(board));
        else assert.ok(news(back).version > news(board).version);
      }),
      { numRuns: 500 },
    );
  });

  it('refuses a plan of another size', () => {
    const carry = toCarry(createBoard(2, []));
    assert.throws(() => fromCarry(carry, 3, []), /another plan/);
    assert.throws(() => fromCarry(carry, 2, [identity('a', 2)]), /another plan/);
  });
});

function act(board: Board, deed: string, ordinal: number, rest: Telling[]): void {
  const [state, span] = [board.states[ordinal], [ordinal, ordinal + 1] as const];
  if (deed === 'run' && state === CODE.ready) markRunning(board, [span]);
  if (deed === 'done' && (state === CODE.running || state === CODE.failed)) markDone(board, [span]);
  if (deed === 'fail' && state === CODE.running) markFailed(board, [span]);
  if (deed === 'retry') retryFailed(board);
  if (deed === 'skip' && ordinal < board.count) skip(board, span);
  if (deed === 'halt') halt(board);
  const one = deed === 'tell' ? rest.shift() : undefined;
  if (one) applyUpstream(board, one.upstream, one.news);
}

describe('beginRound', () => {
  const reader = (): Board => createBoard(2, [identity('a', 2)]);
  const failed = (version: number): News => ({ version, done: [], failed: [[0, 1]], skipped: [[1, 2]] });

  it('forgets failures of before until they are told again, and keeps what was skipped', () => {
    const board = reader();
    applyUpstream(board, 'a', failed(3));
    assert.deepEqual(statesOf(board), ['blocked', 'skipped']);
    beginRound(board, 1);
    assert.deepEqual(statesOf(board), ['waiting', 'skipped']);
    applyUpstream(board, 'a', failed(4));
    assert.deepEqual(statesOf(board), ['waiting', 'skipped'], 'news from before the round');
    const upstream = createBoard(2, []);
    beginRound(upstream, 1);
    applyUpstream(board, 'a', { ...failed(0), version: news(upstream).version });
    assert.deepEqual(statesOf(board), ['blocked', 'skipped']);
  });

  it('counts news of the round that came before the order', () => {
    const board = reader();
    applyUpstream(board, 'a', failed(lastVersionOf(1)));
    beginRound(board, 1);
    assert.deepEqual(statesOf(board), ['blocked', 'skipped']);
  });
});
