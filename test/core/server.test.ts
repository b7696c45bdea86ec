/** Which servers are refused, and by which words. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { unsupported } from '../../src/postgres/server.js';

const GCC = 'on x86_64-pc-linux-gnu, compiled by gcc';

test('what is not PostgreSQL is refused by its name, whatever version it says it is', () => {
  const cases: readonly (readonly [said: string, version: number, RegExp])[] = [
    [`PostgreSQL 8.0.2 on i686-pc-linux-gnu, compiled by GCC gcc, Redshift 1.0.54321`, 80_002, /Amazon Redshift/],
    ['CockroachDB CCL v23.1.11 (x86_64-pc-linux-gnu, built 2023/09/27)', 130_000, /CockroachDB/],
    [`PostgreSQL 15.2-YB-2.25.0.0-b0 ${GCC}`, 150_002, /YugabyteDB/],
    [`PostgreSQL 12.12 (Greenplum Database 7.0.0 build commit:abc) ${GCC}`, 120_012, /Greenplum/],
    [`PostgreSQL 14.4 (Cloudberry Database 1.5.2) ${GCC}`, 140_004, /Cloudberry/],
    ['PostgreSQL 9.5.0 on x86_64-unknown-linux-gnu (Materialize v0.100.0)', 90_500, /Materialize/],
    ['PostgreSQL 13.14.0-RisingWave-2.0.0 (abc)', 130_014, /RisingWave/],
    [`(openGauss 5.0.0 build abc) ${GCC}`, 90_204, /openGauss/],
  ];
  for (const [said, version, name] of cases) assert.match(unsupported({ said, version, missing: [] }) ?? '', name);
});

test('PostgreSQL is refused where it is too old or lacks what sluice stands on; packagers and newer majors are fine', () => {
  const of = (version: number, missing: string[] = []): string | undefined =>
    unsupported({ said: `PostgreSQL ${version / 10_000} (Debian 1.pgdg120+1) ${GCC}`, version, missing });
  assert.equal(of(120_022), 'the server is PostgreSQL 12, which is too old');
  assert.equal(of(Number.NaN), 'the server is PostgreSQL NaN, which is too old');
  assert.match(of(160_002, ['record_send', 'pg_export_snapshot']) ?? '', /lacks .*: record_send, pg_export_snapshot$/);
  for (const version of [130_023, 150_018, 180_004, 190_000]) assert.equal(of(version), undefined);
});
