import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RequestError } from '../../src/contracts/errors.js';
import { resolveTemplate } from '../../src/project/template.js';

const ENV = { A: 'one', EMPTY: '', 'ODD-NAME': 'x' };
const FILES: Record<string, string> = { '/run/secrets/x': 's3cret\n', '/two': 'a\nb\r\n' };
const readFile = async (path: string): Promise<string> => {
  const text = FILES[path];
  if (text === undefined) throw new Error(`ENOENT ${path}`);
  return text;
};
const resolve = (text: string) => resolveTemplate(text, ENV, readFile, 'ops');

const RIGHT: readonly [text: string, expected: string][] = [
  ['plain $A {A}', 'plain $A {A}'],
  ['${A}${A}', 'oneone'],
  ['x-${A}-y', 'x-one-y'],
  ['${NONE:-embedded:ops}', 'embedded:ops'],
  ['${EMPTY:-d}', 'd'],
  ['${EMPTY}', ''],
  ['${NONE:-}', ''],
  ['postgres://u:${file:/run/secrets/x}@h/db', 'postgres://u:s3cret@h/db'],
  ['${file:/two}', 'a\nb'],
];
for (const [text, expected] of RIGHT) test(`template ${text}`, async () => assert.equal(await resolve(text), expected));

const WRONG: readonly [text: string, code: string, says: RegExp][] = [
  ['${NONE}', 'unset_variable', /connection ops: .*NONE/],
  ['${toString}', 'unset_variable', /toString/],
  ['${ODD-NAME}', 'bad_variable', /connection ops/],
  ['${}', 'bad_variable', /connection ops/],
  ['${file:/none}', 'unreadable_file', /connection ops: .*\/none/],
];
for (const [text, code, says] of WRONG) {
  test(`template ${text} is refused`, async () => {
    await assert.rejects(resolve(text), (error) => {
      assert.ok(error instanceof RequestError);
      assert.equal(error.code, code);
      assert.equal(error.exitCode, 2);
      assert.match(error.message, says);
      assert.ok(error.remedy);
      return true;
    });
  });
}
