import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ProjectError, RequestError } from '../../src/contracts/errors.js';
import { ERROR_MAX, errorDocument, errorLines } from '../../src/cli/render/errors.js';
import { shown } from './support/shown.js';

const PLAIN = { color: false };

test('an error says what is wrong and what to do', () => {
  const error = new RequestError(
    'range_empty',
    '--from 2014 is not before --to 2013',
    'Times are half-open: --to is exclusive.',
  );
  assert.equal(
    shown(errorLines(error, PLAIN)),
    `
error: --from 2014 is not before --to 2013
  Times are half-open: --to is exclusive.
`,
  );
  assert.deepEqual(errorDocument(error), {
    error: {
      code: 'range_empty',
      message: '--from 2014 is not before --to 2013',
      remedy: 'Times are half-open: --to is exclusive.',
    },
  });
});

test('what is not one of our errors is a bug, and says so', () => {
  const { error } = errorDocument(new TypeError('x is undefined'));
  assert.equal(error.code, 'internal');
  assert.equal(error.message, 'TypeError: x is undefined');
  assert.match(error.remedy ?? '', /bug/);
});

test('an error is at most 4,000 characters in both forms, its remedy kept', () => {
  const messages = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 9000, size: 'max' }),
    fc.nat(9000).map((n) => '"\n'.repeat(n)),
    fc.constant('x'.repeat(4001)),
  );
  fc.assert(
    fc.property(messages, fc.string({ maxLength: 3000, size: 'max' }), (message, remedy) => {
      const error = new RequestError('too_long', message, `do this ${remedy}`);
      assert.ok(errorLines(error, PLAIN).join('\n').length <= ERROR_MAX);
      const document = errorDocument(error);
      assert.ok(JSON.stringify(document).length <= ERROR_MAX);
      assert.match(document.error.remedy ?? '', /^do this/);
    }),
    { numRuns: 100 },
  );
});

test('a long list of problems is cut at a line’s end and says how much is left out', () => {
  const problems = Array.from({ length: 300 }, (_, i) => ({
    file: `datasets/d${i}.sql`,
    line: 1,
    code: 'x',
    message: 'unknown column',
  }));
  const lines = errorLines(new ProjectError(problems), PLAIN);
  assert.match(lines.at(-1) ?? '', /^… \d+ characters left out$/);
  assert.match(lines.at(-2) ?? '', /^datasets\/d\d+\.sql:1: unknown column$/);
  assert.ok(lines.length > 90);
});

test('escape sequences in an error do not reach the terminal', () => {
  assert.deepEqual(errorLines(new RequestError('x', 'a\u001b[2Jb\nc'), PLAIN), ['error: a [2Jb', 'c']);
});
