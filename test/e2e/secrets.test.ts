/** Secrets of every connection, and of every kind: wherever sluice writes anything, they are not there. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Client, Connection } from '@temporalio/client';
import { freePorts } from '../../src/dev/ports.js';
import { clientOf, loudWorker } from '../support/backfills.js';
import { eventually } from '../support/eventually.js';
import { startStack, type Stack } from '../support/stack.js';

/** By where it is planted. */
const SECRETS = {
  passwordOfFile: 'S3cr.et/@:#é%41+z',
  passwordOfEnv: 'TWFnaWNTZWNyZXRWYWx1ZQ==',
  wrongPassword: 'Wr0ng?&=$ecret',
  options: 'Opt10nT0ken',
  sslpassword: 'Ssl-Pa55-phrase',
  brokenOptions: 'Br0kenOpt10n',
  brokenUrl: 'Br0ken/Passw0rd',
  literal: 'L1teralPassw0rd',
};
/** The server's own log repeats what a login asked for. */
const IN_SERVER_LOG = new Set(['brokenOptions']);

/** As it may stand in a text: plain, in a URL, in hex, in JSON, and in base64 however the bytes before it fall. */
function formsOf(secret: string): string[] {
  const bytes = Buffer.from(secret);
  const aligned = [0, 1, 2].map((before) => {
    const text = Buffer.concat([Buffer.alloc(before), bytes])
      .toString('base64')
      .replace(/=+$/, '');
    // The first and the last character may hold bits of a neighbour.
    return text.slice(before === 0 ? 0 : before + 1, -1);
  });
  const lower = encodeURIComponent(secret).replace(/%../g, (code) => code.toLowerCase());
  return [
    ...new Set([secret, encodeURIComponent(secret), encodeURI(secret), lower, bytes.toString('hex'), ...aligned]),
  ];
}

const FORMS = Object.entries(SECRETS).flatMap(([name, secret]) => formsOf(secret).map((form) => ({ name, form })));

function requireNone(where: string, text: string, except: ReadonlySet<string> = new Set()): void {
  const found = FORMS.filter(({ name, form }) => !except.has(name) && text.includes(form));
  assert.deepEqual(found, [], where);
}

const FILES = (secret: string): Record<string, string> => ({
  'sluice.yaml': `project: vault
connections:
  ops: { type: postgres, url: "postgres://vault_ops:\${OPS_PASSWORD}@\${DB_HOST}/ops?options=-c%20app.token%3D${SECRETS.options}&sslpassword=${SECRETS.sslpassword}" }
  warehouse: { type: postgres, url: "postgres://vault_writer:\${file:${secret}}@\${DB_HOST}/warehouse" }
  unused: { type: postgres, url: "postgres://me:${SECRETS.literal}@127.0.0.1:1/db" }
warehouse: warehouse
schema: vault
defaults: { grain: day, start: 2024-01-01 }
`,
  'datasets/raw.yaml': 'extract: { from: ops, table: public.orders, time: at }\nkey: [id]\n',
  'datasets/ratio.sql':
    '/*\ntime: at\nkey: [id]\n*/\nSELECT id, at, 1 / (extract(day FROM at)::int - 2) AS n\nFROM raw WHERE at >= :start AND at < :end\n',
});

let stack: Stack;
before(async () => {
  stack = await startStack();
});
after(() => stack.stop());

/** Everything a command said, whatever became of it. */
async function say(args: string, env: NodeJS.ProcessEnv = {}): Promise<string> {
  const { code, out, err } = await stack.sluice([...args.split(' '), '-p', join(stack.dir, 'vault')], { env });
  assert.ok(out + err !== '', args);
  return `${args}: exit ${code}\n${out}${err}`;
}

/** All files below a folder; of what a server changes meanwhile, what could be read. */
function filesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}

test('no secret is in a history, a log, a table, a metric, a file or an error, in any encoding', async () => {
  const file = join(stack.dir, 'password');
  writeFileSync(file, `${encodeURIComponent(SECRETS.passwordOfFile)}\n`);
  const host = new URL(await stack.url('ops')).host;
  Object.assign(stack.env, {
    DB_HOST: host,
    OPS_PASSWORD: encodeURIComponent(SECRETS.passwordOfEnv),
    SLUICE_DEBUG: '1',
  });
  const ops = await stack.connect('ops');
  await ops.query(`CREATE ROLE vault_ops LOGIN PASSWORD '${SECRETS.passwordOfEnv}'; CREATE ROLE vault_writer LOGIN SUPERUSER PASSWORD '${SECRETS.passwordOfFile}';
    CREATE TABLE orders (id int PRIMARY KEY, at timestamptz); GRANT SELECT ON orders TO vault_ops;
    INSERT INTO orders SELECT i, '2024-01-01Z'::timestamptz + i * interval '8 hours' FROM generate_series(0, 11) i`);
  const warehouse = await stack.connect('warehouse');
  stack.project('vault', FILES(file));
  const [port = 0] = await freePorts(1);
  const hook = `data:text/javascript,${encodeURIComponent(`process.on('SIGUSR2',()=>{throw new Error('uncaught')})`)}`;
  const { NODE_OPTIONS: options = '' } = stack.env;
  stack.env['NODE_OPTIONS'] = `${options} --import ${hook}`;
  const worker = await loudWorker(stack, join(stack.dir, 'vault'), ['--metrics-port', String(port)]);
  stack.env['NODE_OPTIONS'] = options;

  const heard: string[] = [];
  heard.push(await say('backfill --to 2024-01-05 --id one --on-failure fail --wait'));
  assert.match(heard[0] ?? '', /exit 3/);
  heard.push(await (await fetch(`http://127.0.0.1:${port}/metrics`)).text());
  const broken = (url: string): NodeJS.ProcessEnv => ({ DB_HOST: url });
  heard.push(
    ...(await Promise.all([
      say('plan --to 2024-01-05 --json'),
      say('why ratio 2024-01-02'),
      say('doctor', { OPS_PASSWORD: encodeURIComponent(SECRETS.wrongPassword) }),
      say('plan --to 2024-01-06', { OPS_PASSWORD: encodeURIComponent(SECRETS.wrongPassword) }),
      say('plan --to 2024-01-06', broken('127.0.0.1:1')),
      say('plan --to 2024-01-06', { OPS_PASSWORD: SECRETS.brokenUrl }),
      say('plan --to 2024-01-06', broken(`${host}/ops?options=-c%20${SECRETS.brokenOptions}&x=`)),
    ])),
  );
  for (const said of [/division by zero/, /wrong password/, /ECONNREFUSED/, /no PostgreSQL url/, /syntax error/])
    assert.match(heard.join('\n'), said);

  // The worker itself can no longer log in, and says so in a history.
  writeFileSync(file, encodeURIComponent(SECRETS.wrongPassword));
  await ops.query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'vault_writer'`);
  const backfills = await clientOf(stack, 'vault');
  await backfills.start({ from: '2024-01-05', to: '2024-01-06' }, { id: 'locked' });
  const connection = await Connection.connect({ address: stack.dev.info().temporalAddress });
  const temporal = new Client({ connection });
  const failing = temporal.workflow.getHandle('backfill/vault/locked');
  const pending = await eventually('the worker is refused', async () => {
    const { raw } = await failing.describe();
    const text = JSON.stringify([raw.pendingActivities, await failing.fetchHistory()]);
    return /password/.test(text) && text;
  });
  heard.push(pending);
  writeFileSync(file, encodeURIComponent(SECRETS.passwordOfFile));

  const exited = once(worker.child, 'exit');
  worker.child.kill('SIGUSR2');
  await exited;
  assert.match(worker.said(), /uncaught/);
  heard.push(worker.said());
  for (const text of heard) requireNone(text.slice(0, 60), text);

  let histories = 0;
  for await (const { workflowId, runId } of temporal.workflow.list()) {
    requireNone(workflowId, JSON.stringify(await temporal.workflow.getHandle(workflowId, runId).fetchHistory()));
    histories++;
  }
  assert.ok(histories >= 4, String(histories));
  await connection.close();
  await backfills.close();

  const { rows: tables } = await warehouse.query<{ name: string }>(
    `SELECT quote_ident(relname) AS name FROM pg_class WHERE relnamespace = 'sluice'::regnamespace AND relkind IN ('r', 'p', 'v')`,
  );
  assert.ok(tables.length > 8);
  for (const { name } of tables) {
    const { rows } = await warehouse.query(`SELECT t FROM sluice.${name} t`);
    requireNone(`sluice.${name}`, JSON.stringify(rows));
  }
  const files = filesBelow(join(stack.dir, '.sluice'));
  assert.ok(files.some((name) => name.endsWith('dev.json')));
  for (const name of files) requireNone(name, readFileSync(name, 'latin1'), IN_SERVER_LOG);
});
