import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { parse } from 'pg-connection-string';

/** Stops at the first error, reads nobody's .psqlrc. */
export const PSQL_ARGS = ['--no-psqlrc', '--set=ON_ERROR_STOP=1', '--no-align', '--tuples-only'] as const;

/** Environment of a `psql` for `url`: a password on the command line would show in the process list. */
export function psqlEnv(url: string): NodeJS.ProcessEnv {
  const { host, port, user, password, database } = parse(url);
  const set = { PGHOST: host, PGPORT: port, PGUSER: user, PGPASSWORD: password, PGDATABASE: database };
  const given = Object.entries(set).filter((entry): entry is [string, string] => typeof entry[1] === 'string');
  return { ...process.env, ...Object.fromEntries(given), PGAPPNAME: 'sluice bench' };
}

/** One `psql` on one connection, kept open between scripts. */
export interface Psql {
  /** Resolves when the last statement of `script` is through; rejects with what psql said. One script at a time. */
  run(script: string): Promise<void>;
  close(): Promise<void>;
}

const DONE = '--- script done ---';

export function openPsql(url: string): Psql {
  const child = spawn('psql', [...PSQL_ARGS, '--quiet'], { env: psqlEnv(url), stdio: 'pipe' });
  const ended = exitOf(child, child.stderr);
  // Nobody may be waiting when it fails; `run` and `close` report it.
  ended.catch(() => undefined);
  // Where psql ended early the write fails too; `ended` tells why.
  child.stdin.on('error', () => undefined);
  const lines = createInterface({ input: child.stdout });
  return {
    async run(script) {
      const done = new Promise<void>((resolve) => {
        const onLine = (line: string): void => {
          if (line !== DONE) return;
          lines.off('line', onLine);
          resolve();
        };
        lines.on('line', onLine);
      });
      child.stdin.write(`${script}\n\\echo '${DONE}'\n`);
      const first = await Promise.race([done, ended.then(() => 'ended' as const)]);
      if (first === 'ended') throw new Error('psql ended before its script did');
    },
    async close() {
      child.stdin.end();
      await ended;
    },
  };
}

/** Resolves when `child` ends well; rejects with its stderr when not, or when it could not be started. */
export async function exitOf(child: ChildProcess, stderr: NodeJS.ReadableStream): Promise<void> {
  let said = '';
  stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
  const [code, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null];
  if (code !== 0) throw new Error(`psql ended with ${String(code ?? signal)}: ${said.trim()}`);
}
