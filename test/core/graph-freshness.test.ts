import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isAtRisk } from '../../src/core/graph/freshness.js';
import { parseDuration } from '../../src/core/time/duration.js';

const at = (text: string): number => Date.parse(`2024-${text}Z`);
const fresh = (freshness: string, planned = '01-03T00:00') => {
  const duration = parseDuration(freshness);
  assert.ok(duration);
  return { freshness: duration, zone: 'UTC', until: at('01-02T00:00'), planned: at(planned) };
};

test('a dataset is at risk when four fifths of what it may be late have gone by, and the plan has what it lacks', () => {
  assert.equal(isAtRisk(fresh('10h'), at('01-02T07:59')), false);
  assert.equal(isAtRisk(fresh('10h'), at('01-02T08:00')), true);
  assert.equal(isAtRisk(fresh('10h'), at('02-02T08:00')), true);
  assert.equal(isAtRisk(fresh('1mo'), at('01-20T00:00')), false);
  assert.equal(isAtRisk(fresh('1mo'), at('01-28T00:00')), true);
});

test('history does not make up for being late', () => {
  assert.equal(isAtRisk(fresh('10h', '01-02T00:00'), at('02-02T08:00')), false);
  assert.equal(isAtRisk(fresh('10h', '01-01T00:00'), at('02-02T08:00')), false);
});
