import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkMistakes } from './case.js';
import type { Case } from './case.js';
import { load, loadDataset, projectFiles, RAW_YAML, transform } from './helpers.js';

const CALL = 'call: { activity: refreshBi, taskQueue: bi, timeout: 10m }\n';
const BI = 'datasets/bi.yaml';
const call = (inside: string): Case['files'] => ({ [BI]: CALL.replace(' }', `, ${inside} }`) });
const READ = 'SELECT t FROM public.rates WHERE t >= :start AND t < :end';

test('a call has a body, an axis and needs, and no time', async () => {
  const files = { [BI]: `${CALL.replace('10m', '10m, heartbeat: 5s')}needs: { clean: { lookback: 2d }, raw: {} }\n` };
  const bi = await loadDataset(projectFiles(files), 'bi');
  assert.deepEqual(bi.body, {
    kind: 'call',
    activity: 'refreshBi',
    taskQueue: 'bi',
    timeoutMs: 600_000,
    heartbeatMs: 5_000,
  });
  assert.deepEqual(bi.needs, [{ dataset: 'clean', lookback: { months: 0, days: 2, ms: 0 } }, { dataset: 'raw' }]);
  assert.deepEqual([bi.axis.grain, bi.time], ['day', null]);
});

test('calls, extracts and transforms may wait for a call, and come after it', async () => {
  const { datasets } = await load(
    projectFiles({
      'datasets/zz.yaml': CALL,
      'datasets/after.yaml': `${CALL}needs: { zz: {} }\n`,
      'datasets/raw.yaml': `${RAW_YAML}needs: { zz: {} }\n`,
      'datasets/rates.yaml': CALL,
      'datasets/read.sql': transform(READ, 'time: t\nreads: [public.rates]\nneeds: { rates: {} }'),
    }),
  );
  const needs = (name: string): string[] | undefined => datasets.get(name)?.needs.map(({ dataset }) => dataset);
  assert.deepEqual([needs('after'), needs('raw'), needs('read')], [['zz'], ['zz'], ['rates']]);
  const order = [...datasets.keys()];
  assert.ok(order.indexOf('zz') < order.indexOf('after') && order.indexOf('zz') < order.indexOf('raw'));
});

test('a table that a call fills may have the call’s own name, where it is declared', async () => {
  const files = {
    'datasets/rates.yaml': CALL,
    'datasets/read.sql': transform(READ.replace('public', 'analytics'), 'time: t\nreads: [analytics.rates]'),
  };
  assert.deepEqual((await loadDataset(projectFiles(files), 'read')).needs, []);
});

test('the version is of the activity and the needs, not of queue and times', async () => {
  const version = async (text: string): Promise<string> =>
    (await loadDataset(projectFiles({ [BI]: text }), 'bi')).version;
  const plain = await version(CALL);
  assert.equal(await version('call: { activity: refreshBi, taskQueue: other, timeout: 1h, heartbeat: 9s }'), plain);
  assert.notEqual(await version(CALL.replace('refreshBi', 'refreshOther')), plain);
  assert.notEqual(await version(`${CALL}needs: { raw: {} }`), plain);
});

checkMistakes([
  {
    name: 'a call without a queue',
    files: { [BI]: 'call: { activity: a, timeout: 1m }\n' },
    code: 'missing_key',
    at: `${BI}:1`,
    says: /taskQueue/,
  },
  {
    name: 'a call on our own queue',
    files: { [BI]: CALL.replace(' bi', ' sluice.p') },
    code: 'reserved_name',
    at: `${BI}:1`,
    says: /own worker/,
  },
  {
    name: 'a time-out in months',
    files: { [BI]: CALL.replace('10m', '1mo') },
    code: 'invalid_duration',
    at: `${BI}:1`,
    says: /months/,
  },
  {
    name: 'a time-out of nothing',
    files: { [BI]: CALL.replace('10m', '0') },
    code: 'invalid_duration',
    at: `${BI}:1`,
    says: /second/,
  },
  {
    name: 'a heartbeat as long as the call',
    files: call('heartbeat: 10m'),
    code: 'heartbeat_too_long',
    at: `${BI}:1`,
    says: /10s/,
  },
  { name: 'an unknown key of a call', files: call('queue: x'), code: 'unknown_key', at: `${BI}:1`, says: /queue/ },
  {
    name: 'a call with a key',
    files: { [BI]: `${CALL}key: [a]\n` },
    code: 'not_for_calls',
    at: `${BI}:2`,
    says: /leave key out/,
  },
  {
    name: 'a call with an extract',
    files: { [BI]: `${CALL}${RAW_YAML}` },
    code: 'extract_and_call',
    at: `${BI}:2`,
    says: /two files/,
  },
  {
    name: 'a call that needs what is not there',
    files: { [BI]: `${CALL}needs: { cleen: {} }\n` },
    code: 'unknown_dataset',
    at: `${BI}:2`,
    says: /clean/,
  },
  {
    name: 'a call that needs itself',
    files: { [BI]: `${CALL}needs: { bi: {} }\n` },
    code: 'not_supported_yet',
    at: `${BI}:2`,
    says: /itself/,
  },
  {
    name: 'calls in a circle',
    files: { [BI]: `${CALL}needs: { bo: {} }\n`, 'datasets/bo.yaml': `${CALL}needs: { bi: {} }\n` },
    code: 'cycle',
    at: `${BI}:2`,
    says: /bi → bo → bi/,
  },
  {
    name: 'SQL that reads a call',
    files: { [BI]: CALL, 'datasets/clean.sql': transform('SELECT t FROM bi WHERE t >= :start AND t < :end') },
    code: 'call_has_no_table',
    at: 'datasets/clean.sql:4',
    says: /no table.*\n.*reads: \[public.bi\]/,
  },
]);
