import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { resolveTemporal } from '../../src/worker/temporal-env.js';

const dev = { temporalAddress: '127.0.0.1:7001' };

test('TEMPORAL_ADDRESS comes before dev, and dev takes nothing from the variables', () => {
  assert.deepEqual(resolveTemporal({ TEMPORAL_ADDRESS: 'a:1' }, dev), { address: 'a:1', namespace: 'default' });
  const left = { TEMPORAL_NAMESPACE: 'other', TEMPORAL_API_KEY: 'k' };
  assert.deepEqual(resolveTemporal(left, dev), { address: '127.0.0.1:7001', namespace: 'default' });
  assert.equal(resolveTemporal({}), undefined);
});

test('an API key turns TLS on, unless it is turned off', () => {
  const env = { TEMPORAL_ADDRESS: 'a:1', TEMPORAL_NAMESPACE: 'n', TEMPORAL_API_KEY: 'k' };
  assert.deepEqual(resolveTemporal(env), { address: 'a:1', namespace: 'n', apiKey: 'k', tls: true });
  assert.equal(resolveTemporal({ ...env, TEMPORAL_TLS: 'false' })?.tls, false);
});

test('certificates come from data or from a file', () => {
  const self = fileURLToPath(import.meta.url);
  const target = resolveTemporal({
    TEMPORAL_ADDRESS: 'a:1',
    TEMPORAL_TLS_CLIENT_CERT_DATA: 'crt',
    TEMPORAL_TLS_CLIENT_KEY_DATA: 'key',
    TEMPORAL_TLS_SERVER_CA_CERT_PATH: self,
    TEMPORAL_TLS_SERVER_NAME: 'name',
  });
  assert.ok(typeof target?.tls === 'object');
  assert.equal(target.tls.serverNameOverride, 'name');
  assert.match(String(target.tls.serverRootCACertificate), /certificates come from data/);
  assert.deepEqual(target.tls.clientCertPair, { crt: Buffer.from('crt'), key: Buffer.from('key') });
});

test('what cannot be is refused', () => {
  const refused: Record<string, string>[] = [
    { TEMPORAL_TLS: 'perhaps' },
    { TEMPORAL_TLS_CLIENT_CERT_DATA: 'crt' },
    { TEMPORAL_TLS_CLIENT_CERT_DATA: 'crt', TEMPORAL_TLS_CLIENT_CERT_PATH: '/a' },
    { TEMPORAL_TLS_SERVER_CA_CERT_PATH: '/nowhere' },
    { TEMPORAL_TLS_DISABLE_HOST_VERIFICATION: 'true' },
  ];
  for (const env of refused) {
    assert.throws(() => resolveTemporal({ TEMPORAL_ADDRESS: 'a:1', ...env }), { code: 'temporal_env', exitCode: 2 });
  }
});
