import assert from 'node:assert/strict';
import { it } from 'node:test';
import fc from 'fast-check';
import { isTooLong, lengthen, NO_STREAK, STREAK_MAX, streakWords, tryAgain } from '../../src/core/slice/streak.js';

const long = lengthen(NO_STREAK, 'check_failed', STREAK_MAX);

it('holds at the bound, not before; another code begins anew', () => {
  const almost = lengthen(NO_STREAK, 'check_failed', STREAK_MAX - 1);
  assert.equal(isTooLong(almost), false);
  assert.equal(isTooLong(lengthen(almost, 'check_failed', 1)), true);
  assert.equal(isTooLong(lengthen(almost, 'duplicate_key', 1)), false);
  assert.equal(lengthen(almost, 'duplicate_key', 0), almost, 'what was cut up has not failed');
});

it('half-opens by one partition: its failure holds again, and so does any other', () => {
  const probing = tryAgain(long);
  assert.deepEqual([probing.probing, isTooLong(probing)], [true, false]);
  assert.equal(isTooLong(lengthen(probing, 'other', 1)), true);
  assert.equal(isTooLong(tryAgain(lengthen(probing, 'other', 1))), false);
  assert.equal(tryAgain(lengthen(NO_STREAK, 'x', 3)).probing, false, 'what was not held is tried as ever');
});

it('says what it is', () => {
  assert.match(streakWords(long), /^held: 20 partitions failed alike \(check failed\)/);
  assert.match(streakWords(lengthen(tryAgain(long), 'check_failed', 1)), /^held again/);
});

it('never holds for fewer than the bound of one code in a row', () => {
  const codes = fc.array(fc.constantFrom('a', 'b'), { maxLength: 100 });
  fc.assert(
    fc.property(codes, (failures) => {
      let streak = NO_STREAK;
      let [last, row] = ['', 0];
      for (const code of failures) {
        streak = lengthen(streak, code, 1);
        row = code === last ? row + 1 : 1;
        last = code;
        assert.equal(isTooLong(streak), row >= STREAK_MAX);
      }
    }),
  );
});
