import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { exitOf, psqlEnv } from './psql.js';

/** One transaction of the foreground. */
export interface Transaction {
  /** When it ended, ms since the epoch. */
  readonly at: number;
  /** From when it was due, so that what had to queue counts, ms. */
  readonly ms: number;
}

/** A sum over 10,000 rows of the million: some 3 ms of one CPU. */
const SCRIPT = `\\set a random(1, 900000)
SELECT sum(abalance) FROM pgbench_accounts WHERE aid BETWEEN :a AND :a + 10000;
`;

/** Tables for {@link foreground}: a million accounts. */
export async function fillPgbench(url: string): Promise<void> {
  const child = spawn('pgbench', ['-i', '-s', '10', '-q'], { env: envOf(url), stdio: ['ignore', 'ignore', 'pipe'] });
  await exitOf(child, child.stderr);
}

/** `pgbench` on 8 connections at a fixed rate of arrivals; every transaction. `pgbench` must be on PATH. */
export async function foreground(url: string, perSecond: number, seconds: number): Promise<Transaction[]> {
  const dir = mkdtempSync(join(tmpdir(), 'sluice-pgbench-'));
  try {
    writeFileSync(join(dir, 'sum.sql'), SCRIPT);
    const words = ['-n', '-M', 'prepared', '-c', '8', '-f', 'sum.sql', '-R', String(perSecond), '-T', String(seconds)];
    const child = spawn('pgbench', [...words, '-l'], {
      cwd: dir,
      env: envOf(url),
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    await exitOf(child, child.stderr);
    const logs = readdirSync(dir).filter((name) => name.startsWith('pgbench_log.'));
    return logs.flatMap((name) => readFileSync(join(dir, name), 'utf8').trim().split('\n').map(transaction));
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

/** `client transaction µs script epoch-s epoch-µs lag-µs`. With `-R` the time counts from when it was due. */
function transaction(line: string): Transaction {
  const [, , us = NaN, , s = NaN, micros = NaN] = line.split(' ').map(Number);
  return { at: s * 1000 + micros / 1000, ms: us / 1000 };
}

function envOf(url: string): NodeJS.ProcessEnv {
  return { ...psqlEnv(url), PGAPPNAME: 'pgbench' };
}
