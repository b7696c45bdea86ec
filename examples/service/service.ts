/**
 * A service that starts backfills on events and follows them: reads events from stdin and writes what became of them to stdout, one JSON
 * object a line. In a real one the lines come from a queue; nothing else changes.
 */
import { createInterface } from 'node:readline';
import { BackfillClient, BackfillError } from 'sluice/client';
import { handle } from './handle.js';
import { readEvent } from './event.js';

function say(line: object): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

const backfills = await BackfillClient.connect({
  project: process.env['PROJECT'] ?? 'flights',
  address: process.env['TEMPORAL_ADDRESS'] ?? 'localhost:7233',
});
try {
  // Events do not wait for each other: a backfill may run for hours.
  const pending: Promise<void>[] = [];
  for await (const line of createInterface({ input: process.stdin })) {
    if (line.trim() === '') continue;
    pending.push(
      (async () => handle(backfills, readEvent(line), say))().catch((error: unknown) => {
        // What the client throws on purpose was dealt with; what is left is Temporal out of reach, or an event that makes no sense.
        const expected = error instanceof BackfillError || error instanceof SyntaxError;
        say({ outcome: 'error', message: error instanceof Error ? error.message : String(error) });
        if (!expected) process.exitCode = 1;
      }),
    );
  }
  await Promise.all(pending);
} finally {
  await backfills.close();
}
