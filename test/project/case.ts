import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatProblem } from '../../src/contracts/errors.js';
import type { LoadOptions } from '../../src/project/load.js';
import { problemsOf, projectFiles } from './helpers.js';

/** One mistake: what is written over the right project, and the one problem that comes of it. */
export interface Case {
  readonly name: string;
  readonly files: Record<string, string | undefined>;
  readonly code: string;
  /** `file`, `file:line` or `file:line:column`. */
  readonly at: string;
  /** What the message or remedy must say. */
  readonly says: RegExp;
  readonly options?: Partial<LoadOptions>;
}

/** The message of a parser or of a schema says what to do by itself. */
const SELF_EXPLAINED = ['yaml_invalid', 'sql_error', 'invalid_value'];

export function checkMistakes(cases: readonly Case[]) {
  for (const { name, files, code, at, says, options } of cases) {
    test(`mistake: ${name}`, async () => {
      const problems = await problemsOf(projectFiles(files), options);
      const [first] = problems;
      assert.ok(first);
      assert.equal(first.code, code, JSON.stringify(problems, null, 1));
      // Datasets share what a project lacks; any other mistake is reported once.
      const same = problems.filter((problem) => problem.code === code && problem.message === first.message);
      assert.equal(same.length, problems.length, JSON.stringify(problems, null, 1));
      const printed = formatProblem(first);
      assert.ok(printed.startsWith(`${at}:`), printed);
      assert.match(printed, says);
      if (!SELF_EXPLAINED.includes(code)) assert.ok(first.remedy, printed);
    });
  }
  test('the project over which the mistakes are written is right', async () => {
    assert.deepEqual(await problemsOf(projectFiles()), []);
  });
}
