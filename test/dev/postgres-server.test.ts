import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import {
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import pg from 'pg';
import { freePorts } from '../../src/dev/ports.js';
import { startPostgres, type PostgresServer } from '../../src/dev/postgres-server.js';
import { identify } from '../../src/dev/processes.js';
import { dataDirFor } from './support.js';

async function start(folder: string, password = 'p@ss/word'): Promise<PostgresServer> {
  const [port = 0] = await freePorts(1);
  return startPostgres({ dataDir: join(folder, 'postgres'), port, password, logFile: join(folder, 'log') });
}

async function query(url: string, sql: string): Promise<unknown[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query<Record<string, unknown>>(sql)).rows;
  } finally {
    await client.end();
  }
}

test('after kill -9 of the server it starts again, though a backend is still busy', async (context) => {
  const folder = dataDirFor(context);
  const first = await start(folder);
  const settings =
    "SELECT current_setting('fsync') f, current_setting('wal_level') w, current_setting('max_connections') c";
  assert.deepEqual(await query(first.url, settings), [{ f: 'on', w: 'logical', c: '100' }]);
  await query(first.url, 'CREATE TABLE t AS SELECT 1 AS x');
  // A session that is busy when the server dies.
  const busy = new pg.Client({ connectionString: first.url });
  busy.on('error', () => undefined);
  await busy.connect();
  const cut = assert.rejects(busy.query('SELECT count(*) FROM generate_series(1, 100000000000)'));
  process.kill(first.pid, 'SIGKILL');
  await first.exited;
  const second = await start(folder);
  await cut;
  assert.deepEqual(await query(second.url, 'SELECT x FROM t'), [{ x: 1 }]);
  await second.stop();
  assert.equal(identify(second.pid), undefined);
});

test('a server left on the same folder is ended first; the pid of another process is not taken for it', async (context) => {
  const folder = dataDirFor(context);
  const first = await start(folder);
  const pidFile = join(realpathSync(join(folder, 'postgres')), 'postmaster.pid');
  const text = readFileSync(pidFile, 'utf8');
  const second = await start(folder);
  assert.equal(identify(first.pid), undefined);
  await second.stop();
  // Said at once, and not after waiting for an answer.
  await assert.rejects(start(folder, 'other'), { code: 'wrong_password' });

  const bystander = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1e6)']);
  context.after(() => bystander.kill('SIGKILL'));
  writeFileSync(pidFile, text.replace(/^\d+/, String(bystander.pid)));
  const third = await start(folder);
  assert.notEqual(identify(bystander.pid ?? 0), undefined);
  await third.stop();
});

const root = userInfo().uid === 0;

test('as root, below a folder that is closed to others', { skip: !root && 'not root' }, async (context) => {
  const closed = mkdtempSync(join(tmpdir(), 'sluice-closed-'));
  const folder = join(closed, 'data');
  mkdirSync(folder);
  const server = await start(folder);
  const place = join(folder, 'postgres');
  const real = realpathSync(place);
  context.after(() => {
    for (const path of [real, `${real}.link`, closed]) rmSync(path, { recursive: true, force: true });
  });
  assert.ok(lstatSync(place).isSymbolicLink());
  await query(server.url, 'CREATE TABLE t AS SELECT 1 AS x');
  await server.stop();
  const again = await start(folder);
  assert.deepEqual(await query(again.url, 'SELECT x FROM t'), [{ x: 1 }]);
  await again.stop();
  assert.equal(statSync(closed).mode & 0o777, 0o700);
});
