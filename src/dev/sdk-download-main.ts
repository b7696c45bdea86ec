/**
 * The process in which the SDK downloads: `node sdk-download-main.js <folder>` leaves the executable there.
 * It starts a server in memory for a moment, because the SDK has no other way to download.
 */
import { TestWorkflowEnvironment } from '@temporalio/testing';

const [, , downloadDir] = process.argv;
try {
  if (downloadDir === undefined) throw new Error('which folder?');
  const executable = { type: 'cached-download', downloadDir } as const;
  const environment = await TestWorkflowEnvironment.createLocal({ server: { ip: '127.0.0.1', executable } });
  await environment.teardown();
} catch (error) {
  // One line for the parent, without a stack.
  console.error(error instanceof Error ? error.message.replace(/\s+/g, ' ') : String(error));
  process.exitCode = 1;
}
