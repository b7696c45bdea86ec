import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { kill9 } from '../support/backfills.js';
import { startStack, type Stack } from '../support/stack.js';

let stack: Stack;
before(async () => {
  stack = await startStack();
});
after(() => stack.stop());

/** One database by three names: as its owner, by another name of the host, and as another role. */
function files(name: string, budget: string, sources: string): Record<string, string> {
  const extract = (from: string): string => `extract: { from: ${from}, table: public.meter, time: at }\nkey: [id]\n`;
  return {
    'sluice.yaml': `project: ${name}
timezone: UTC
connections:
  wh: { type: postgres, url: "\${WH_URL}", budget: { ${budget} } }
  host: { type: postgres, url: "\${HOST_URL}", budget: { ${sources} } }
  role: { type: postgres, url: "\${ROLE_URL}", budget: { ${sources} } }
warehouse: wh
schema: mart
defaults: { grain: day, start: 2024-01-01 }
`,
    'datasets/by_host.yaml': extract('host'),
    'datasets/by_role.yaml': extract('role'),
    'datasets/total.sql': `/*\ntime: day\nkey: [day]\n*/\nSELECT date_trunc('day', h.at) AS day, count(*) AS n FROM by_host h JOIN by_role r USING (id, at)
WHERE h.at >= :start AND h.at < :end GROUP BY 1\n`,
  };
}

for (const [name, budget, sources, limit] of [
  ['one_each', 'slots: 1', 'slots: 1', false],
  ['fewer_as_source', 'slots: 3', 'slots: 1', false],
  ['fewer_as_warehouse', 'slots: 1', 'slots: 3', false],
  ['limited_by_a_person', 'slots: 4, law: adaptive', 'slots: 4, law: adaptive', true],
] as const) {
  test(`source and warehouse are one database by other names: ${name}`, async () => {
    const url = new URL(await stack.url(name));
    const client = await stack.connect(name);
    await client.query(`CREATE TABLE meter (id int PRIMARY KEY, at timestamptz NOT NULL);
      INSERT INTO meter SELECT i, timestamptz '2024-01-01 00:00Z' + i * interval '1 hour' FROM generate_series(0, 119) i;
      CREATE ROLE ${name} LOGIN SUPERUSER PASSWORD 'p'`);
    const [host, role] = [new URL(url), new URL(url)];
    host.hostname = 'localhost';
    [role.username, role.password] = [name, 'p'];
    const env = { WH_URL: url.href, HOST_URL: host.href, ROLE_URL: role.href };
    const folder = stack.project(name, files(name, budget, sources));
    const worker = await stack.worker(folder, [], env);
    if (limit) {
      const limited = await stack.sluice(['warehouse', 'limit', '1', '-p', folder], { env });
      assert.equal(limited.code, 0, limited.err);
    }
    const args = ['backfill', '-p', folder, '--to', '2024-01-06', '--local', '--wait', '--timeout', '60s'];
    const ran = await stack.sluice(args, { env });
    assert.equal(ran.code, 0, ran.out + ran.err);
    const { rows } = await client.query<{ n: string }>('SELECT sum(n) AS n FROM mart.total');
    assert.equal(rows[0]?.n, '120');
    await kill9(worker);
  });
}
