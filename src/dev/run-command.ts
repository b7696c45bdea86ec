import { execFile } from 'node:child_process';

export interface CommandOptions {
  readonly env: NodeJS.ProcessEnv;
  readonly boundMs: number;
  readonly signal?: AbortSignal | undefined;
  readonly uid?: number;
  readonly gid?: number;
  /** Default: ours. */
  readonly cwd?: string;
}

/**
 * Runs a command to its end and returns what it printed on stdout.
 *
 * @throws an Error whose message is the last lines of its stderr, or that it is missing or took too long.
 */
export function runCommand(file: string, args: readonly string[], options: CommandOptions): Promise<string> {
  const { env, boundMs, signal, ...as } = options;
  return new Promise((resolve, reject) => {
    execFile(
      file,
      args,
      { ...as, env, timeout: boundMs, killSignal: 'SIGKILL', maxBuffer: 16e6, ...(signal && { signal }) },
      (error, stdout, stderr) => {
        if (error === null) resolve(stdout);
        else reject(new Error(reasonOf(error, stderr, boundMs), { cause: error }));
      },
    );
  });
}

function reasonOf(error: Error & { code?: unknown; killed?: boolean }, stderr: string, boundMs: number): string {
  if (error.code === 'ENOENT') return 'not found';
  if (error.killed === true) return `took longer than ${String(boundMs / 1_000)} s`;
  return stderr.trim() === '' ? error.message : stderr.trim().split('\n').slice(-3).join(' ').slice(-500);
}
