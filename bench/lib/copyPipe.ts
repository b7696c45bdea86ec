import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Partition } from './loop.js';
import { exitOf, PSQL_ARGS, psqlEnv } from './psql.js';

export interface CopyPipeOptions {
  readonly sourceUrl: string;
  readonly targetUrl: string;
  /** Table that is read, written as in SQL. */
  readonly source: string;
  /** Table that is written, with its indexes; must exist with the source's columns. */
  readonly target: string;
  /** Column of `source` that decides the partition. */
  readonly time: string;
  readonly partitions: readonly Partition[];
  /** Pipes at once, each a psql on either side; partitions are dealt to them round robin. */
  readonly pipes: number;
}

/**
 * `psql COPY | psql COPY`, a transaction a partition. One pair of processes carries all partitions of a pipe, so that
 * starting them costs nothing, and the data goes from one to the other without this process.
 *
 * @returns wall time in seconds, starting psql included, and the rows that the target says it took.
 */
export async function copyPipe(options: CopyPipeOptions): Promise<{ seconds: number; rows: number }> {
  const began = performance.now();
  const counts = await Promise.all(
    Array.from({ length: options.pipes }, (_, pipe) =>
      onePipe(
        options,
        options.partitions.filter((_, index) => index % options.pipes === pipe),
      ),
    ),
  );
  return { seconds: (performance.now() - began) / 1000, rows: counts.reduce((sum, count) => sum + count, 0) };
}

async function onePipe(options: CopyPipeOptions, partitions: readonly Partition[]): Promise<number> {
  // Not quiet: the target's `COPY 1234` says what arrived.
  const sink = spawn('psql', PSQL_ARGS, { env: psqlEnv(options.targetUrl), stdio: 'pipe' });
  const source = spawn('psql', [...PSQL_ARGS, '--quiet'], {
    env: psqlEnv(options.sourceUrl),
    stdio: ['pipe', sink.stdin, 'pipe'],
  });
  // The source holds the writing end now; while we held it too the sink would never see the end.
  sink.stdin.destroy();
  let rows = 0;
  createInterface({ input: sink.stdout }).on('line', (line) => {
    if (line.startsWith('COPY ')) rows += Number(line.slice('COPY '.length));
  });
  const ended = Promise.all([exitOf(source, source.stderr), exitOf(sink, sink.stderr)]);
  source.stdin.on('error', () => undefined); // `ended` tells why
  source.stdin.end(partitions.map((partition) => sourceScript(options, partition)).join(''));
  await ended;
  return rows;
}

/** What the source psql prints is a script for the target's. */
function sourceScript({ source, target, time }: CopyPipeOptions, { start, end }: Partition): string {
  return `
\\echo 'COPY ${target} FROM STDIN;'
COPY (SELECT * FROM ${source} WHERE ${time} >= '${start}' AND ${time} < '${end}') TO STDOUT;
\\echo '\\\\.'
`;
}
