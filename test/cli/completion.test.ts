/** The completion script, in a real bash. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import { COMMANDS } from '../../src/cli/commands/index.js';
import { completionScript } from '../../src/cli/completion.js';
import { silentIo } from './support/io.js';

const program = new Command('sluice');
for (const { make } of COMMANDS) program.addCommand(make(silentIo(), () => undefined));
const FLIGHTS = fileURLToPath(new URL('../../examples/flights', import.meta.url));

/** What Tab offers after these words; the last one is what was begun. */
function offered(...words: string[]): string[] {
  const script = `${completionScript('bash', program.commands)}
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _sluice; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const out = execFileSync('bash', ['-c', script, 'bash', 'sluice', ...words], { cwd: FLIGHTS, encoding: 'utf8' });
  return out.split('\n').filter(Boolean).sort();
}

test('verbs, options and the datasets of the project in place', () => {
  assert.deepEqual(offered('pl'), ['plan']);
  assert.deepEqual(offered('-p', '.', 'pl'), ['plan']);
  assert.ok(offered('').includes('doctor'));
  assert.deepEqual(offered('plan', '--re'), ['--rebuild']);
  assert.deepEqual(offered('backfill', '--on-'), ['--on-conflict', '--on-failure']);
  assert.deepEqual(offered('ledger', 'carrier'), ['carrier_7d', 'carrier_day']);
  assert.deepEqual(offered('plan', '--last', '3d', '+carrier_7'), ['+carrier_7d']);
  assert.deepEqual(offered('graph', '--impact', 'flights_'), ['flights_clean', 'flights_raw', 'flights_weather']);
  assert.deepEqual(offered('plan', '-p', '..', 'carrier'), []);
  assert.deepEqual(offered('plan', '-p', './datasets/f'), ['./datasets/flights']);
  assert.deepEqual(offered('plan', '-p', 'data'), ['data', 'datasets']);
  assert.deepEqual(offered('status', ''), []);
  assert.deepEqual(offered('plan', '--from', ''), []);
});

test('every verb and long option is in the script of each shell', () => {
  for (const shell of ['bash', 'zsh', 'fish'] as const) {
    const script = completionScript(shell, program.commands);
    for (const command of program.commands) {
      assert.ok(script.includes(command.name()), `${shell}: ${command.name()}`);
      for (const { long } of command.options)
        assert.ok(script.includes(shell === 'fish' ? `-l ${long?.slice(2)}` : String(long)), `${shell}: ${long}`);
    }
  }
});
