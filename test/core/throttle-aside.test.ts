import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { carryingOn, LATELY_MS, standingAside, type Asked } from '../../src/core/throttle/aside.js';

const NOW = 1_000_000;
const asked = (identity: string, agoMs: number): Asked => ({ identity, polledAt: NOW - agoMs });

describe('who carries slices out', () => {
  const others = (slices: readonly Asked[], aside: readonly Asked[] = []): readonly string[] =>
    carryingOn('me', slices, aside, NOW);

  it('is who asked lately, and not the one that asks', () => {
    assert.deepEqual(others([asked('me', 10), asked('b', LATELY_MS - 1), asked('c', LATELY_MS)]), ['b']);
    assert.deepEqual(others([asked('me', 10)]), []);
  });
  it('is not who has stood aside since, and is who came back', () => {
    assert.deepEqual(others([asked('b', 500)], [asked('b', 400)]), []);
    assert.deepEqual(others([asked('b', 300), asked('b', 500)], [asked('b', 400)]), ['b']);
  });
});

describe('who stands aside', () => {
  it('is who said so lately, and has not asked for slices since', () => {
    const aside = [asked('b', 400), asked('c', 400), asked('d', LATELY_MS)];
    assert.deepEqual(standingAside([asked('b', 500), asked('c', 300)], aside, NOW), ['b']);
  });
});
