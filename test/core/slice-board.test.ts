import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Board } from '../../src/core/slice/board.js';
import {
  counts,
  createBoard,
  halt,
  markDone,
  markFailed,
  markRunning,
  move,
  news,
  release,
  resumeHalted,
  retryFailed,
  settled,
  skip,
} from '../../src/core/slice/board.js';
import { CODE, STATES, TRANSITIONS, isLegal } from '../../src/core/slice/states.js';
import type { State } from '../../src/core/slice/states.js';
import { applyUpstream } from '../../src/core/slice/upstream.js';
import { identity, mappingOf, statesOf, tell } from './slice-kit.js';

/** A board of one partition, in `state`. */
function boardIn(state: State): Board {
  const waits = (): Board => createBoard(1, [identity('a', 1)]);
  const runs = (): Board => {
    const board = createBoard(1, []);
    markRunning(board, [[0, 1]]);
    return board;
  };
  const make: Record<State, () => Board> = {
    waiting: waits,
    ready: () => createBoard(1, []),
    running: runs,
    done: () => after(runs(), (board) => markDone(board, [[0, 1]])),
    failed: () => after(runs(), (board) => markFailed(board, [[0, 1]])),
    blocked: () => after(waits(), (board) => applyUpstream(board, 'a', tell(1, { failed: [[0, 1]] }))),
    skipped: () => after(waits(), (board) => applyUpstream(board, 'a', tell(1, { skipped: [[0, 1]] }))),
  };
  return make[state]();
}

function after(board: Board, act: (board: Board) => unknown): Board {
  act(board);
  return board;
}

/** The table, written out a second time: a step added or lost must be meant. */
const LEGAL: Record<State, readonly State[]> = {
  waiting: ['ready', 'blocked', 'skipped'],
  ready: ['running', 'done', 'blocked', 'skipped'],
  running: ['ready', 'done', 'failed'],
  done: [],
  failed: ['ready', 'done', 'skipped'],
  blocked: ['waiting', 'ready', 'skipped'],
  skipped: ['waiting', 'ready', 'blocked', 'done'],
};

describe('states', () => {
  for (const from of STATES) {
    for (const to of STATES) {
      const legal = LEGAL[from].includes(to);
      it(`${from} → ${to} is ${legal ? 'legal' : 'refused'}`, () => {
        const board = boardIn(from);
        assert.equal(isLegal(CODE[from], CODE[to]), legal);
        if (legal) {
          move(board, 0, CODE[to]);
          assert.deepEqual(statesOf(board), [to]);
          assert.deepEqual({ ...counts(board), [to]: 0 }, { ...counts(createBoard(0, [])) });
        } else {
          const before = structuredClone(board);
          assert.throws(() => move(board, 0, CODE[to]), new RegExp(`partition 0: ${from} cannot become ${to}`));
          assert.deepEqual(board, before);
        }
      });
    }
  }

  it('has a sentence for every step', () => {
    for (const steps of Object.values(TRANSITIONS)) {
      for (const sentence of Object.values(steps)) assert.match(sentence, /^[A-Z].*\.$/);
    }
  });

  it('codes each state by its place in the list', () => {
    assert.deepEqual(
      STATES.map((state) => CODE[state]),
      STATES.map((_, i) => i),
    );
  });
});

describe('board', () => {
  it('begins with what has no input ready, and the rest waiting', () => {
    const edge = {
      upstream: 'a',
      upstreamCount: 2,
      mapping: mappingOf([
        [0, 0],
        [1, 2],
        [1, 1],
      ]),
    };
    assert.deepEqual(statesOf(createBoard(3, [edge])), ['ready', 'waiting', 'ready']);
  });

  it('takes an empty span for no input, wherever it points', () => {
    const board = createBoard(2, [
      {
        upstream: 'a',
        upstreamCount: 1,
        mapping: mappingOf([
          [9, 9],
          [7, 3],
        ]),
      },
    ]);
    applyUpstream(board, 'a', tell(0, { failed: [[0, 1]] }));
    assert.deepEqual(statesOf(board), ['ready', 'ready']);
  });

  it('refuses a mapping of another length, or outside its upstream', () => {
    assert.throws(() => createBoard(3, [identity('a', 2)]), RangeError);
    assert.throws(() => createBoard(2, [{ ...identity('a', 2), upstreamCount: 1 }]), RangeError);
  });

  it('takes a doubled report of done, and one of what is ready or failed again', () => {
    const board = createBoard(3, []);
    markRunning(board, [[0, 3]]);
    markFailed(board, [[2, 3]]);
    assert.deepEqual(release(board, [[1, 3]]), [[1, 2]]);
    markDone(board, [[0, 3]]);
    markDone(board, [[0, 1]]);
    assert.deepEqual(statesOf(board), ['done', 'done', 'done']);
  });

  it('refuses done for what its inputs do not allow', () => {
    assert.throws(() => markDone(boardIn('waiting'), [[0, 1]]), /waiting cannot become done/);
    assert.throws(() => markDone(boardIn('blocked'), [[0, 1]]), /blocked cannot become done/);
  });

  it('retries failed partitions only, everywhere or where asked', () => {
    const board = createBoard(5, []);
    markRunning(board, [[0, 4]]);
    markFailed(board, [[1, 4]]);
    assert.deepEqual(retryFailed(board, [[0, 2]]), [[1, 2]]);
    assert.deepEqual(retryFailed(board), [[2, 4]]);
    assert.deepEqual(statesOf(board), ['running', 'ready', 'ready', 'ready', 'ready']);
  });

  it('skips all but what is done or running, and keeps it skipped whatever the inputs say', () => {
    const board = createBoard(6, [identity('a', 6)]);
    applyUpstream(board, 'a', tell(1, { done: [[0, 4]], failed: [[4, 5]] }));
    markRunning(board, [[0, 3]]);
    markDone(board, [[0, 1]]);
    markFailed(board, [[1, 2]]);
    assert.deepEqual(skip(board, [0, 6]), [
      [1, 2],
      [3, 6],
    ]);
    assert.deepEqual(statesOf(board), ['done', 'skipped', 'running', 'skipped', 'skipped', 'skipped']);
    applyUpstream(board, 'a', tell(2, { done: [[0, 6]] }));
    assert.deepEqual(statesOf(board), ['done', 'skipped', 'running', 'skipped', 'skipped', 'skipped']);
    assert.deepEqual(retryFailed(board), []);
  });

  it('keeps skipped what a person skipped after an upstream did, when the upstream no longer is', () => {
    const board = boardIn('skipped');
    assert.deepEqual(skip(board, [0, 1]), []);
    applyUpstream(board, 'a', tell(2, { done: [[0, 1]] }));
    assert.deepEqual(statesOf(board), ['skipped']);
  });

  it('refuses to skip what it has not', () => {
    assert.throws(() => skip(createBoard(2, []), [1, 3]), RangeError);
  });
});

describe('settled', () => {
  for (const state of STATES) {
    const expected = ['done', 'failed', 'blocked', 'skipped'].includes(state);
    it(`${state}: ${expected ? 'yes' : 'no'}`, () => assert.equal(settled(boardIn(state)), expected));
  }

  it('halted: as soon as nothing runs', () => {
    const board = createBoard(3, [
      {
        ...identity('a', 3),
        mapping: mappingOf([
          [0, 0],
          [0, 0],
          [0, 1],
        ]),
      },
    ]);
    markRunning(board, [[0, 1]]);
    halt(board);
    assert.equal(settled(board), false);
    release(board, [[0, 1]]);
    assert.equal(settled(board), true);
    assert.deepEqual(
      { ...counts(board) },
      { waiting: 0, ready: 0, running: 0, done: 0, failed: 0, blocked: 3, skipped: 0 },
    );
    resumeHalted(board);
    assert.equal(settled(board), false);
    assert.equal(counts(board).ready, 2);
  });

  it('an empty dataset is', () => assert.equal(settled(createBoard(0, [])), true));
});

describe('news', () => {
  it('tells failed and blocked alike, and everything once settled', () => {
    const board = createBoard(5, [identity('a', 5)]);
    applyUpstream(board, 'a', tell(0, { done: [[0, 2]], failed: [[2, 3]], skipped: [[3, 5]] }));
    markRunning(board, [[0, 2]]);
    markDone(board, [[0, 1]]);
    markFailed(board, [[1, 2]]);
    const { version: _, ...told } = news(board);
    assert.deepEqual(told, { done: [[0, 1]], failed: [[1, 3]], skipped: [[3, 5]] });
    assert.equal(settled(board), true);
  });

  it('has a new version when failures or skips change, and none when more is done, ready or running', () => {
    const board = createBoard(4, [identity('a', 4)]);
    const versions: number[] = [];
    const same = (act: () => unknown): void => {
      const before = news(board).version;
      act();
      assert.equal(news(board).version, before);
    };
    const higher = (act: () => unknown): void => {
      const before = news(board).version;
      act();
      versions.push(before);
      assert.ok(news(board).version > before);
    };
    same(() => applyUpstream(board, 'a', tell(1, { done: [[0, 3]] })));
    same(() => markRunning(board, [[0, 3]]));
    same(() => markDone(board, [[0, 1]]));
    higher(() => markFailed(board, [[1, 2]]));
    higher(() => retryFailed(board));
    higher(() => skip(board, [1, 2]));
    same(() => release(board, [[2, 3]]));
    higher(() => applyUpstream(board, 'a', tell(2, { failed: [[3, 4]] })));
    higher(() => applyUpstream(board, 'a', tell(3, {})));
    higher(() => halt(board));
    same(() => halt(board));
    higher(() => resumeHalted(board));
    same(() => resumeHalted(board));
    assert.equal(versions.length, 7);
  });

  it('has a new version when a halted dataset gives work back', () => {
    const board = boardIn('running');
    halt(board);
    const before = news(board);
    assert.deepEqual(before.failed, []);
    release(board, [[0, 1]]);
    assert.deepEqual(news(board).failed, [[0, 1]]);
    assert.ok(news(board).version > before.version);
  });
});
