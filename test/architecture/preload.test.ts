import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';

/** A schema that is shared without being named there is frozen by the SDK, and throws when it first parses. */
test('workflows/preload.ts names every contract with a schema in it', () => {
  const contracts = new URL('../../src/contracts/', import.meta.url);
  const preload = readFileSync(new URL('../../workflows/preload.ts', import.meta.url), 'utf8');
  const missing = readdirSync(contracts).filter(
    (file) =>
      readFileSync(new URL(file, contracts), 'utf8').includes(`from 'zod'`) &&
      !preload.includes(`/contracts/${file.replace(/ts$/, 'js')}`),
  );
  assert.deepEqual(missing, []);
});
