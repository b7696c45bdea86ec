/** Every command that sluice prints is typed as it stands, from another folder and in an environment of its own, and works. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type pg from 'pg';
import { ROOT } from '../architecture/tree.js';
import { projectYaml } from '../support/backfills.js';
import { startStack, type Stack } from '../support/stack.js';

let stack: Stack;
let ops: pg.Client;
let bin: string;

const FILES = {
  'sluice.yaml': `${projectYaml('typed')}environments: { lab: { schema: lab } }\nconfirm: { partitions: 400 }\nflags: { extra: 0 }\n`,
  'datasets/raw.yaml': 'extract: { from: ops, table: public.readings, time: at }\nkey: [id]\n',
  'datasets/daily.sql': `/*
time: day
key: [day]
*/
SELECT date_trunc('day', at) AS day, sum(100 / n) + :flag_extra AS n FROM raw WHERE at >= :start AND at < :end GROUP BY 1
`,
};

before(async () => {
  stack = await startStack();
  ops = await stack.connect('ops');
  await ops.query(`CREATE TABLE readings (id bigint PRIMARY KEY, at timestamptz NOT NULL, n int NOT NULL);
    CREATE INDEX ON readings (at);
    INSERT INTO readings SELECT i, '2024-01-01Z'::timestamptz + i * interval '1 day', CASE i WHEN 4 THEN 0 ELSE 2 END FROM generate_series(0, 29) i`);
  await stack.worker(stack.project('a project', FILES), ['-e', 'lab']);
  bin = join(stack.dir, 'bin');
  mkdirSync(bin);
  writeFileSync(
    join(bin, 'sluice'),
    `#!/bin/sh\nexec '${process.execPath}' '${join(ROOT, 'dist/src/cli/sluice.js')}' "$@"\n`,
  );
  chmodSync(join(bin, 'sluice'), 0o755);
});
after(() => stack.stop());

function typed(command: string): { code: number | null; out: string } {
  const env = { ...stack.env, PATH: `${bin}:${process.env['PATH'] ?? ''}`, SLUICE_ENV: '' };
  const ran = spawnSync('bash', ['-c', command], { cwd: stack.dir, env, encoding: 'utf8' });
  return { code: ran.status, out: ran.stdout + ran.stderr };
}

/** Types a command with the place, and gives what it printed. */
function says(words: string, code = 0): string {
  const ran = typed(`sluice ${words} -p 'a project' -e lab`);
  assert.equal(ran.code, code, `${words}\n${ran.out}`);
  return ran.out;
}

/** The commands of a text that is on lines of their own, `\` and what follows it included. */
function commandsIn(text: string): string[] {
  const whole = text.replaceAll(/ \\\n\s+/g, ' ');
  return [...whole.matchAll(/^[\s│]*(?:type|look at it:|)\s*(sluice .*)$/gm)].map(([, command = '']) => command.trim());
}

function works(command: string, codes: readonly number[] = [0]): string {
  assert.match(command, / -p 'a project'/, `${command} says where`);
  assert.match(command, / -e lab\b/, `${command} says in which environment`);
  const ran = typed(command);
  assert.ok(codes.includes(ran.code ?? -1), `${command}: ${ran.code}\n${ran.out}`);
  return ran.out;
}

const only = (commands: readonly string[], verb: RegExp): string => {
  const found = commands.find((one) => verb.test(one));
  assert.ok(found, `${String(verb)} among ${commands.join('\n')}`);
  return found;
};

test('from a plan to the end of a held backfill, by what is printed', async () => {
  const plan = commandsIn(says('plan --to 2024-01-11'));
  assert.equal(plan.length, 1);
  const started = works(plan[0] ?? '');
  const watched = works(only(commandsIn(started), /^sluice watch/), [3]);
  const held = commandsIn(watched.slice(watched.lastIndexOf('waits')));
  assert.deepEqual(
    held.map((command) => command.split(' ')[1]),
    ['retry', 'why', 'retry', 'retry', 'skip'],
  );
  const why = works(only(held, /^sluice why/));
  assert.match(why, /division_by_zero/);
  const again = only(commandsIn(started), /^sluice watch/);
  works(only(commandsIn(why), /^sluice retry/));
  works(again, [3]);
  const listed = commandsIn(says('list'));
  works(only(listed, /^sluice retry/));
  works(again, [3]);
  // JSON says the same.
  const json = says('status --json');
  assert.match(json, /"next": "sluice retry -p 'a project' \S+ -e lab"/);

  // A range is asked for, and each way that is named is one.
  const [, , id = ''] = only(listed, /^sluice retry/)
    .replace(` -p 'a project'`, '')
    .split(' ');
  const refused = says(`skip ${id} daily`, 2);
  const ways = [...refused.matchAll(/(sluice skip.*)$/gm)].map(([, command = '']) => command);
  assert.equal(ways.length, 3);
  const conflict = says('backfill daily --on 2024-01-05', 2);
  assert.match(conflict, new RegExp(`sluice cancel -p 'a project' ${id} -e lab`));
  await ops.query('UPDATE readings SET n = 2');
  works(only(held, /--upstream/));
  assert.match(works(`sluice watch -p 'a project' ${id} -e lab`), /all is published/);
});

test('what forget, adopt and a plan of what is stale print', () => {
  const forgot = says('forget daily --on 2024-01-07').replaceAll(/\s+/g, ' ');
  const [back = '', over = ''] = [...forgot.matchAll(/`(sluice [^`]*)`/g)].map(([, command = '']) => command);
  const warned = says('plan daily --on 2024-01-07').replaceAll(/\s+/g, ' ');
  assert.match(
    warned,
    /sluice adopt -p 'a project'(?: -e lab)? daily --from .*sluice backfill -p 'a project'(?: -e lab)? daily --from .* --overwrite/,
  );
  works(back);
  says('forget daily --on 2024-01-08');
  works(
    `${over.replaceAll('2024-01-07', '2024-01-0x').replaceAll('2024-01-08', '2024-01-09').replaceAll('2024-01-0x', '2024-01-08')} --wait`,
  );
  const nothing = says('backfill daily --on 2024-01-07');
  assert.match(nothing, /nothing to do/);
  const unselected = says('backfill daily --on 2024-01-20', 2).replaceAll(/\s+/g, ' ');
  works(/(sluice backfill.*?)(?: times in UTC)? *$/.exec(unselected)?.[1] ?? '');
});

test('what a start without a range prints, to be confirmed, and what adjust wants', () => {
  const refused = says('backfill raw --reason "all of it" --id whole', 2);
  // Nothing of it is built before it was adjusted.
  says('warehouse hold ops --reason "not yet"');
  const started = works(/(sluice backfill.*)$/m.exec(refused)?.[1] ?? '');
  assert.match(started, /backfill whole runs/);
  const adjust = /(sluice adjust.*)$/m.exec(says('adjust whole', 2))?.[1] ?? '';
  works(adjust);
  says('warehouse release ops');
});

test('what a plan with values of flags, or over rows of others, prints', () => {
  const asked = 'daily --on 2024-01-03 --rebuild all';
  for (const options of ['--set extra=1', '--overwrite']) {
    const [command = ''] = commandsIn(says(`plan ${asked} ${options}`));
    assert.match(command, new RegExp(`${options} --plan`));
    works(`${command} --wait`);
  }
});
