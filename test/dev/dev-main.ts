/** `sluice dev` without the command line around it, for tests: `node dev-main.ts <data dir>`. */
import { spawn } from 'node:child_process';
import { runDev } from '../../src/dev/run-dev.js';

const [, , dataDir = ''] = process.argv;
/** Stands in for a worker: ready at once, and drained when told to. */
const WORKER = `process.on('SIGTERM', () => process.exit(0)); setInterval(() => {}, 1e6); process.send('ready')`;

process.exitCode = await runDev({
  dataDir,
  env: process.env,
  log: (line) => {
    console.error(line);
  },
  startWorker: () =>
    spawn(process.execPath, ['-e', WORKER], {
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
      detached: true,
    }),
  onServing: () => {
    console.log('serving');
  },
});
