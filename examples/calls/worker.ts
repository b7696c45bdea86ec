/** A worker of your own, in TypeScript: it knows Temporal and the shape of a call, and nothing else of sluice. */
import { mkdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ApplicationFailure, heartbeat } from '@temporalio/activity';
import { NativeConnection, Worker } from '@temporalio/worker';

/** What sluice calls an activity with. */
interface Call {
  readonly dataset: string;
  readonly interval: { readonly start: string; readonly end: string };
  readonly environment: string;
  readonly backfill: string;
  readonly version: string;
  readonly idempotencyKey: string;
}

const folder = process.env['REPORTS'] ?? 'reports';

/** Called again for the same interval it writes the same file: a call may come more than once. */
async function writeReport({ interval, idempotencyKey }: Call): Promise<void> {
  const day = interval.start.slice(0, 10);
  // What another try cannot mend: this partition fails at once, alone, with this code.
  if (day.endsWith('-13')) throw ApplicationFailure.nonRetryable(`no report on ${day}`, 'UnluckyDay');
  heartbeat();
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, `${idempotencyKey}.tmp`), `${JSON.stringify({ day, key: idempotencyKey })}\n`);
  await rename(join(folder, `${idempotencyKey}.tmp`), join(folder, `${day}.json`));
}

const connection = await NativeConnection.connect({ address: process.env['TEMPORAL_ADDRESS'] ?? 'localhost:7233' });
const worker = await Worker.create({ connection, taskQueue: 'reports', activities: { writeReport } });
await worker.run();
await connection.close();
