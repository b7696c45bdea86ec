import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import proto from '@temporalio/proto';
import { Worker } from '@temporalio/worker';

/** Histories that released code wrote must be carried on by the code of today. */
const HISTORIES = fileURLToPath(new URL('histories/', import.meta.url));
const codePath = fileURLToPath(new URL('../../dist/workflow-bundle.js', import.meta.url));

/** As protobuf: the SDK's own JSON reader and writer need one copy of protobufjs, which npm does not promise. */
function read(file: string): { workflowId: string; history: proto.temporal.api.history.v1.History } {
  const { workflowId, protobuf } = JSON.parse(readFileSync(join(HISTORIES, file), 'utf8')) as Record<
    'workflowId' | 'protobuf',
    string
  >;
  return { workflowId, history: proto.temporal.api.history.v1.History.decode(Buffer.from(protobuf, 'base64')) };
}

test('every recorded history replays', async () => {
  const files = readdirSync(HISTORIES).filter((file) => file.endsWith('.json'));
  assert.ok(files.length >= 3, 'there are histories');
  const recorded = files.map(read);
  const failed: string[] = [];
  for await (const { workflowId, error } of Worker.runReplayHistories({ workflowBundle: { codePath } }, recorded)) {
    if (error) failed.push(`${workflowId}: ${error.message}`);
  }
  assert.deepEqual(failed, []);
});
