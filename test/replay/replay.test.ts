import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Worker } from '@temporalio/worker';

/** Histories that released code wrote must be carried on by the code of today. */
const HISTORIES = fileURLToPath(new URL('histories/', import.meta.url));
const codePath = fileURLToPath(new URL('../../dist/workflow-bundle.js', import.meta.url));

test('every recorded history replays', async () => {
  const files = readdirSync(HISTORIES).filter((file) => file.endsWith('.json'));
  assert.ok(files.length >= 3, 'there are histories');
  const recorded = files.map((file) => ({
    workflowId: file,
    history: JSON.parse(readFileSync(join(HISTORIES, file), 'utf8')) as unknown,
  }));
  const failed: string[] = [];
  for await (const { workflowId, error } of Worker.runReplayHistories({ workflowBundle: { codePath } }, recorded)) {
    if (error) failed.push(`${workflowId}: ${error.message}`);
  }
  assert.deepEqual(failed, []);
});
