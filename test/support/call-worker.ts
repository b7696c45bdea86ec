/** A user's worker as a process of its own, to be killed: tells each call on stdout, and ends it when the file `GO` is there. */
import { existsSync } from 'node:fs';
import { heartbeat, sleep } from '@temporalio/activity';
import { NativeConnection, Worker } from '@temporalio/worker';

const { TEMPORAL_ADDRESS: address = '', GO: go = '' } = process.env;

async function waitForGo(call: unknown): Promise<void> {
  process.stdout.write(`${JSON.stringify(call)}\n`);
  while (!existsSync(go)) {
    heartbeat();
    await sleep(50);
  }
}

const connection = await NativeConnection.connect({ address });
const worker = await Worker.create({
  connection,
  taskQueue: 'outside',
  activities: { waitForGo },
  maxHeartbeatThrottleInterval: '200ms',
});
await worker.run();
