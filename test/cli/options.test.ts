import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Command } from 'commander';
import { RequestError } from '../../src/contracts/errors.js';
import { BackfillRequest } from '../../src/contracts/request.js';
import type { BackfillInput } from '../../src/contracts/request.js';
import {
  addCommon,
  addRange,
  addRequest,
  addSelect,
  addTimeout,
  backfillInput,
  parseTimeout,
} from '../../src/cli/options.js';
import type { CommonOptions, RangeOptions, RequestOptions, SelectOptions } from '../../src/cli/options.js';

/** The request that these words give, as the `backfill` verb would make it. */
function asked(...words: string[]): BackfillInput {
  const command = addTimeout(addRequest(addRange(addSelect(addCommon(new Command('backfill')))))).exitOverride();
  command.configureOutput({ writeErr: () => undefined });
  command.parse(words, { from: 'user' });
  return backfillInput(
    'flights',
    command.args,
    command.opts<CommonOptions & RangeOptions & SelectOptions & RequestOptions>(),
  );
}

test('nothing typed: only the project and the default environment', () => {
  assert.deepEqual(asked(), { project: 'flights', environment: 'default' });
});

test('everything typed becomes a request that the contract accepts', () => {
  const words =
    '+carrier_7d tag:core --from 2013-01-01 --to 2014-01-01 --exclude a --exclude b -e prod --rebuild stale --plan 3fa9 --reason why --ticket T-1';
  const more = '--priority 1 --order newest --on-failure fail --on-conflict skip --max-parallel 8 --overwrite';
  const input = asked(...`${words} ${more}`.split(' '));
  assert.deepEqual(BackfillRequest.parse(input), {
    project: 'flights',
    environment: 'prod',
    select: ['+carrier_7d', 'tag:core'],
    exclude: ['a', 'b'],
    from: '2013-01-01',
    to: '2014-01-01',
    rebuild: 'stale',
    plan: '3fa9',
    reason: 'why',
    ticket: 'T-1',
    priority: 1,
    order: 'newest',
    onFailure: 'fail',
    onConflict: 'skip',
    maxParallel: 8,
    overwrite: true,
  });
});

test('--exclude takes one value, so that a selection after it is still a selection', () => {
  assert.deepEqual(asked('--exclude', 'a', 'b'), {
    project: 'flights',
    environment: 'default',
    select: ['b'],
    exclude: ['a'],
  });
});

const REFUSED: readonly (readonly [words: string, code: string, message: RegExp])[] = [
  ['--priority 6', 'bad_option', /--priority "6"/],
  ['--priority 1.5', 'bad_option', /--priority "1.5"/],
  ['--priority=-1', 'bad_option', /--priority "-1"/],
  ['--max-parallel 0', 'bad_option', /--max-parallel "0"/],
  ['--order latest', 'bad_option', /--order "latest"/],
  ['--rebuild everything', 'bad_option', /--rebuild "everything"/],
  ['--on-failure stop', 'bad_option', /--on-failure "stop"/],
  ['--on-conflict wat', 'bad_option', /--on-conflict "wat"/],
  ['--last soon', 'bad_duration', /--last "soon"/],
  ['--last 30d --from 2013-01-01', 'range_conflict', /--from and --last/],
  ['--on 2013-01-01 --to 2014-01-01', 'range_conflict', /--to and --on/],
  ['--from=', 'range_empty_value', /--from has no value/],
  ['--timeout never', 'bad_timeout', /--timeout "never"/],
  [`--reason ${'x'.repeat(4001)}`, 'bad_option', /--reason/],
];

for (const [words, code, message] of REFUSED) {
  test(`refused with its value and a remedy: ${words.slice(0, 40)}`, () => {
    assert.throws(
      () => asked(...words.split(' ')),
      (error) =>
        error instanceof RequestError &&
        error.code === code &&
        message.test(error.message) &&
        error.remedy !== undefined,
    );
  });
}

test('a timeout in milliseconds', () => {
  assert.deepEqual(
    ['30s', '10m', '2h', '1d', '1h30m'].map(parseTimeout),
    [30_000, 600_000, 7_200_000, 86_400_000, 5_400_000],
  );
  for (const text of ['0', '1mo', '', '2 h', '-1h', '400d'])
    assert.throws(() => parseTimeout(text), { code: 'bad_timeout' }, text);
});
