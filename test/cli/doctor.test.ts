/** What the doctor says of what it found; test/e2e/operating.test.ts lets it find it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { judgeDatabase, type DatabaseFacts } from '../../src/cli/doctor/judge-database.js';
import { judgeVersions } from '../../src/cli/doctor/store.js';
import { judgeCallQueue, judgeQueue } from '../../src/cli/doctor/temporal.js';
import type { Check } from '../../src/cli/doctor/check.js';
import type { Poller } from '../../src/worker/pollers.js';
import { doctorLines } from '../../src/cli/render/doctor.js';

const SOUND: DatabaseFacts = {
  version: 180_004,
  role: 'writer',
  clockMs: 0,
  standby: false,
  readOnly: false,
  allowed: 97,
  allowedRole: -1,
  allowedDatabase: -1,
  usedByOthers: 10,
  mayCreateSchemas: false,
  missingSchemas: [],
  closedSchemas: [],
  missingTables: [],
  closedTables: [],
  roundTripMs: 3,
  skewMs: 40,
  sharesBackends: false,
};

/** What is not ok: `state what: message → remedy`. */
function found(facts: Partial<DatabaseFacts>, isWarehouse = true): string[] {
  return judgeDatabase('wh', { ...SOUND, ...facts }, { isWarehouse, slots: 4 })
    .filter(({ state }) => state !== 'ok')
    .map(({ state, name, message, remedy }) => `${state} ${name}: ${message} → ${remedy ?? ''}`);
}

test('a sound database has nothing to mend', () => {
  assert.deepEqual(found({}), []);
  assert.deepEqual(found({ standby: true, readOnly: true }, false), []);
});

test('each thing that is wrong is found, and only it, with what to type', () => {
  const cases: readonly (readonly [Partial<DatabaseFacts>, RegExp])[] = [
    [{ version: 190_000 }, /^warn connection wh: PostgreSQL 19/],
    [{ sharesBackends: true }, /^fail connection wh: session: .*per transaction.* → .*pool_mode = session/],
    [{ skewMs: -2_500 }, /^warn connection wh: clock: 2500 ms behind/],
    [{ standby: true, readOnly: true }, /^fail connection wh: rights: a standby/],
    [{ readOnly: true }, /read_only is on: .* → ALTER ROLE writer SET default_transaction_read_only = off$/],
    [{ closedSchemas: ['"My"'] }, /→ GRANT USAGE, CREATE ON SCHEMA "My" TO writer$/],
    [{ missingSchemas: ['sluice', 'a'] }, /→ CREATE SCHEMA sluice AUTHORIZATION writer; CREATE SCHEMA a AUTH.*;$/],
    [{ closedTables: ['"public"."t"'] }, /→ GRANT SELECT ON "public"."t" TO writer$/],
    [{ missingTables: ['"public"."t"'] }, /^fail connection wh: rights: not there: "public"."t"/],
    [{ usedByOthers: 90 }, /^warn connection wh: connections: 7 connections free for sluice, 10 needed .*slots of wh/],
    [{ allowedRole: 5 }, /^warn connection wh: connections: 0 connections/],
  ];
  for (const [facts, wanted] of cases) {
    const [first = 'nothing', ...more] = found(facts);
    assert.match(first, wanted);
    assert.deepEqual(more, [], first);
  }
  assert.deepEqual(found({ missingSchemas: ['sluice'], mayCreateSchemas: true }), []);
});

test('the queue of a call is served by who polled lately, whatever its code; where nobody does, the rest works', () => {
  const at = (polledAt: number): Poller => ({ identity: 'theirs', polledAt });
  assert.equal(judgeCallQueue('bi', ['refresh'], [at(1_000)], 30_000).state, 'ok');
  const idle = judgeCallQueue('bi', ['refresh', 'notify'], [at(1_000)], 130_000);
  assert.deepEqual([idle.state, idle.message], ['warn', 'no worker polls it: calls of refresh, notify would wait']);
});

test('a queue is served by who polled lately, with the same code', () => {
  const here = { now: 1_000_000, version: '0.1.0+aa', environment: 'prod' };
  const at = (identity: string, polledAt = here.now - 60_000): { identity: string; polledAt: number } => ({
    identity,
    polledAt,
  });
  const judge = (pollers: readonly Poller[], current?: string): Check => judgeQueue('q', { pollers, current }, here);
  assert.deepEqual([judge([]).state, judge([]).remedy], ['fail', 'start one: sluice worker -e prod']);
  assert.equal(judge([at('1@h sluice/0.1.0+aa', here.now - 200_000)]).state, 'fail');
  assert.equal(judge([at('1@h sluice/0.1.0+aa'), at('2@h sluice/0.1.0+aa')]).state, 'ok');
  const mixed = judge([at('1@h sluice/0.1.0+aa'), at('2@h sluice/0.1.0+bb'), at('3@h')]);
  assert.equal(mixed.state, 'warn');
  assert.match(mixed.message, /0\.1\.0\+aa: 2@h sluice\/0\.1\.0\+bb; 3@h, of an unknown version$/);

  const built = { ...at('1@h sluice/0.1.0+aa'), build: 'sluice:0.1.0+aa' };
  assert.equal(judge([built], built.build).state, 'ok');
  const idle = judge([built]);
  assert.match(idle.message, /goes to workers without --deployment, and none polls it/);
  assert.match(idle.remedy ?? '', /--deployment-name sluice --build-id 0\.1\.0\+aa$/);
  assert.equal(judge([built], 'sluice:0.1.0+bb').state, 'fail');
  assert.equal(judge([at('1@h sluice/0.1.0+aa')], 'sluice:0.1.0+bb').state, 'fail');
});

test('the schema is ours, older, newer, or not there', () => {
  const ours = ['0001', '0002'];
  assert.equal(judgeVersions(ours, ours).state, 'ok');
  assert.equal(judgeVersions(['0001'], ours).state, 'warn');
  assert.equal(judgeVersions([...ours, '0003'], ours).state, 'fail');
  assert.equal(judgeVersions(null, ours).state, 'warn');
});

test('a line each, the remedy under it, within the screen', () => {
  const checks = judgeDatabase('wh', { ...SOUND, closedSchemas: ['a'] }, { isWarehouse: true, slots: 4 });
  const lines = doctorLines(checks, { width: 60, color: false });
  assert.ok(lines.every((line) => line.length <= 60));
  assert.match(
    lines.join('\n'),
    /^fail {2}connection wh: rights: .*\n {6}a\n {6}→ GRANT USAGE, CREATE ON SCHEMA a TO writer$/m,
  );
  assert.equal(lines.at(-1), '4 ok, 0 warnings, 1 failure');
});
