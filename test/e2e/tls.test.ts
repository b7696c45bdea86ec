/** The standard TEMPORAL_* variables, against endpoints that insist on them. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { Client, Connection } from '@temporalio/client';
import { msToTs } from '@temporalio/common/lib/time.js';
import { BackfillClient } from '../../src/client/index.js';
import { projectYaml, sleeper } from '../support/backfills.js';
import { eventually } from '../support/eventually.js';
import { startStack, type Stack } from '../support/stack.js';
import { createAuthority, hasOpenssl, startTlsProxy, type Authority, type TlsProxy } from '../support/tls.js';

const skip = hasOpenssl() ? false : 'no openssl to make certificates with';
const API_KEY = 'kq-planted-key';
const NAMESPACE = 'other';

let stack: Stack;
let authority: Authority;
let project: string;
let direct: Connection;
const proxies: TlsProxy[] = [];
before(async () => {
  stack = await startStack();
  authority = createAuthority(stack.dir);
  project = stack.project('safe', { 'sluice.yaml': projectYaml('safe'), ...sleeper('daily', '0') });
  const { temporalAddress: address } = stack.dev.info();
  direct = await Connection.connect({ address });
  await direct.workflowService.registerNamespace({
    namespace: NAMESPACE,
    workflowExecutionRetentionPeriod: msToTs('1 day'),
  });
  proxies.push(
    await startTlsProxy(address, authority.sign('server')),
    await startTlsProxy(address, authority.sign('strict-server'), authority),
  );
});
after(async () => {
  if (skip) return;
  await direct.close();
  await stack.stop();
  for (const proxy of proxies) await proxy.close();
});

test('TLS, an API key and a namespace: worker, command line and client', { skip }, async () => {
  const [proxy] = proxies;
  assert.ok(proxy);
  const { address, calls } = proxy;
  const env = {
    TEMPORAL_ADDRESS: address,
    TEMPORAL_NAMESPACE: NAMESPACE,
    TEMPORAL_API_KEY: API_KEY,
    TEMPORAL_TLS_SERVER_CA_CERT_PATH: authority.ca,
  };
  // A namespace is known to all of the server some seconds after it was made.
  await eventually('the namespace serves', () =>
    direct.workflowService.countWorkflowExecutions({ namespace: NAMESPACE }).catch(() => false),
  );
  await stack.worker(project, [], env);
  const methods = (): string[] => [...new Set(calls.map(({ method }) => method))];
  await eventually('the worker polls', () => methods().includes('PollActivityTaskQueue'));
  const ran = await stack.sluice(['backfill', '-p', project, '--to', '2024-01-05', '--id', 'one', '--wait'], { env });
  assert.equal(ran.code, 0, ran.err);
  assert.ok(methods().includes('StartWorkflowExecution'));
  const client = await BackfillClient.connect({
    address,
    namespace: NAMESPACE,
    apiKey: API_KEY,
    tls: { serverRootCACertificate: readFileSync(authority.ca) },
    project: 'safe',
  });
  assert.equal((await client.status('one')).state, 'completed');
  await client.close();
  assert.deepEqual([...new Set(calls.map(({ authorization }) => authorization))], [`Bearer ${API_KEY}`]);
  const countIn = async (namespace: string): Promise<number> => {
    let count = 0;
    for await (const _one of new Client({ connection: direct, namespace }).workflow.list()) count++;
    return count;
  };
  await eventually('both workflows are listed', async () => (await countIn(NAMESPACE)) === 2);
  assert.equal(await countIn('default'), 0);
});

test(
  'a certificate of the client, where the server asks for one; what is missing or wrong is said',
  { skip },
  async () => {
    const [, proxy] = proxies;
    assert.ok(proxy);
    const { crt, key } = authority.sign('worker');
    const server = { TEMPORAL_ADDRESS: proxy.address, TEMPORAL_TLS_SERVER_CA_CERT_PATH: authority.ca };
    const whole = {
      ...server,
      TEMPORAL_TLS_CLIENT_CERT_PATH: crt,
      TEMPORAL_TLS_CLIENT_KEY_DATA: readFileSync(key, 'utf8'),
    };
    await stack.worker(project, [], whole);
    const sound = await stack.sluice(['status', 'unknown', '-p', project], { env: whole });
    assert.equal(sound.code, 2, sound.err);
    assert.match(sound.err, /unknown/);
    assert.deepEqual([...new Set(proxy.calls.map(({ client }) => client))], ['worker']);

    const another = createAuthority(stack.dir);
    const strange = another.sign('stranger');
    const refused = [
      server,
      {
        ...whole,
        TEMPORAL_TLS_CLIENT_CERT_PATH: strange.crt,
        TEMPORAL_TLS_CLIENT_KEY_DATA: readFileSync(strange.key, 'utf8'),
      },
      { ...whole, TEMPORAL_TLS_SERVER_NAME: 'elsewhere' },
    ];
    const heard = proxy.calls.length;
    const answers = await Promise.all(refused.map((env) => stack.sluice(['status', 'x', '-p', project], { env })));
    for (const { code, err } of answers) {
      assert.equal(code, 1, err);
      assert.match(err, new RegExp(`no Temporal server answers at ${proxy.address}`));
    }
    assert.deepEqual(
      proxy.calls.slice(heard).filter(({ client }) => client !== 'worker'),
      [],
    );
  },
);
