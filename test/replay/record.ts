/**
 * Records the histories of a release: `node --import tsx test/replay/record.ts <version>`, from its build and never again
 * with later code. One backfill that fails, is held, paused, resumed, retried and completed.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import proto from '@temporalio/proto';
import { clientOf, projectYaml, reaches } from '../support/backfills.js';
import { startStack } from '../support/stack.js';

const FILES = {
  'sluice.yaml': projectYaml('recorded'),
  'datasets/raw.yaml': 'extract: { from: ops, table: public.events, time: at }\nkey: [id]\n',
  'datasets/daily.sql': `/*
time: day
*/
SELECT date_trunc('day', r.at) AS day, sum(100 / r.divisor) AS amount FROM raw r WHERE r.at >= :start AND r.at < :end GROUP BY 1
`,
  'datasets/weekly.sql': `/*
time: day
needs:
  daily: { lookback: 2d }
*/
SELECT max(y.day) AS day, sum(y.amount) AS amount FROM daily y WHERE y.day >= :start - interval '2 days' AND y.day < :end
`,
};

const version = process.argv[2] ?? 'unreleased';
const stack = await startStack();
try {
  const ops = await stack.connect('ops');
  await ops.query(`CREATE TABLE events (id bigint PRIMARY KEY, at timestamptz NOT NULL, divisor int NOT NULL);
    INSERT INTO events SELECT i, '2024-01-01Z'::timestamptz + i * interval '6 hours', CASE i WHEN 18 THEN 0 ELSE 4 END FROM generate_series(0, 47) i`);
  await stack.worker(stack.project('recorded', FILES));
  const client = await clientOf(stack, 'recorded');
  const { workflowId } = await client.start({ from: '2024-01-01', to: '2024-01-11' }, { id: 'b' });
  await client.pause('b');
  await client.adjust('b', { maxParallel: 2 });
  await client.resume('b');
  await reaches(client, 'b', 'held');
  await client.retry('b', { dataset: 'daily' });
  await reaches(client, 'b', 'held');
  await client.skip('b', { dataset: 'daily', on: '2024-01-05' });
  await client.result('b');
  const connection = await Connection.connect({ address: stack.dev.info().temporalAddress });
  const temporal = new Client({ connection });
  for (const [name, id] of [
    ['backfill', workflowId],
    ['dataset-extract', `${workflowId}/raw`],
    ['dataset-transform', `${workflowId}/daily`],
  ]) {
    const history = await temporal.workflow.getHandle(id ?? '').fetchHistory();
    const bytes = proto.temporal.api.history.v1.History.encode(history).finish();
    const text = JSON.stringify({ workflowId: id, protobuf: Buffer.from(bytes).toString('base64') });
    writeFileSync(join(import.meta.dirname, 'histories', `${version}-${name}.json`), `${text}\n`);
  }
  await connection.close();
  await client.close();
} finally {
  await stack.stop();
}
