/** A user's worker as a process of its own, to be killed: tells each call on stdout, and ends it when the file `GO` is there. */
import { existsSync } from 'node:fs';
import { heartbeat } from '@temporalio/activity';
import { NativeConnection, Worker } from '@temporalio/worker';
import { eventually } from './eventually.js';

const { TEMPORAL_ADDRESS: address = '', GO: go = '' } = process.env;

async function waitForGo(call: unknown): Promise<void> {
  process.stdout.write(`${JSON.stringify(call)}\n`);
  await eventually('it may end', () => {
    heartbeat();
    return existsSync(go);
  });
}

const connection = await NativeConnection.connect({ address });
const worker = await Worker.create({
  connection,
  taskQueue: 'outside',
  activities: { waitForGo },
  maxHeartbeatThrottleInterval: '200ms',
});
await worker.run();
