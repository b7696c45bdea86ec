/** One trace from the command to the statements' activities, sent to a collector of the test's own. */
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, test } from 'node:test';
import { z } from 'zod';
import { projectYaml } from '../support/backfills.js';
import { eventually } from '../support/eventually.js';
import { startStack, type Stack } from '../support/stack.js';

const Span = z.object({
  traceId: z.string(),
  spanId: z.string(),
  parentSpanId: z.string().optional(),
  name: z.string(),
});
const Export = z.object({
  resourceSpans: z.array(
    z.object({
      resource: z.object({
        attributes: z.array(
          z.object({ key: z.string(), value: z.looseObject({ stringValue: z.string().optional() }) }),
        ),
      }),
      scopeSpans: z.array(z.object({ spans: z.array(Span) })),
    }),
  ),
});
type Seen = z.infer<typeof Span> & { readonly service: string | undefined };

const seen: Seen[] = [];
const collector = createServer((request, response) => {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => {
    for (const { resource, scopeSpans } of Export.parse(JSON.parse(Buffer.concat(chunks).toString())).resourceSpans) {
      const service = resource.attributes.find(({ key }) => key === 'service.name')?.value.stringValue;
      seen.push(...scopeSpans.flatMap(({ spans }) => spans.map((span) => ({ ...span, service }))));
    }
    response.setHeader('content-type', 'application/json').end('{}');
  });
});

let stack: Stack;
before(async () => {
  stack = await startStack();
  await new Promise<void>((listening) => collector.listen(0, '127.0.0.1', listening));
});
after(async () => {
  await stack.stop();
  collector.close();
});

test('a backfill is one trace over the command, its workflows and its activities; without an endpoint nothing is sent', async () => {
  const project = stack.project('traced', {
    'sluice.yaml': projectYaml('traced'),
    'datasets/days.sql': `/*\ntime: day\n*/\nSELECT d AS day FROM generate_series(:start, :end - interval '1 day', interval '1 day') d\n`,
  });
  const range = ['-p', project, '--from', '2024-01-01', '--to', '2024-01-04', '--wait'];
  const { port } = collector.address() as AddressInfo;
  const traced = { OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}`, OTEL_BSP_SCHEDULE_DELAY: '100' };
  await stack.worker(project, [], traced);
  assert.equal((await stack.sluice(['backfill', ...range, '--rebuild', 'all'])).code, 0);
  assert.ok(!seen.some(({ service }) => service === 'sluice'), 'the command was told of no collector');

  const ran = await stack.sluice(['backfill', ...range, '--rebuild', 'all'], { env: traced });
  assert.equal(ran.code, 0, ran.err);
  const trace = seen.find(({ name, service }) => service === 'sluice' && name === 'StartWorkflow:backfill')?.traceId;
  const names = (): Set<string> =>
    new Set(seen.filter(({ traceId }) => traceId === trace).map(({ name, service }) => `${service} ${name}`));
  const wanted = [
    'sluice StartWorkflow:backfill',
    'sluice-worker RunWorkflow:backfill',
    'sluice-worker StartChildWorkflow:dataset',
    'sluice-worker RunWorkflow:dataset',
    'sluice-worker RunActivity:openBackfill',
    'sluice-worker RunActivity:runSlice',
  ];
  await eventually('the spans have arrived', () => Promise.resolve(wanted.every((name) => names().has(name))));
});
