/** Dockerfile and docker-compose.yml against the Compose specification, as far as it is used here, and against our code. No daemon is asked. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { parse } from 'yaml';
import { z } from 'zod';
import { silentIo } from '../cli/support/io.js';
import { COMMANDS } from '../../src/cli/commands/index.js';
import { exampleFiles } from '../../src/cli/templates/example.js';
import { allFiles, ROOT } from './tree.js';

const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');

const Duration = z.string().regex(/^\d+(?:ms|s|m)$/);
const Service = z
  .strictObject({
    image: z.string().optional(),
    build: z.string().optional(),
    depends_on: z
      .record(z.string(), z.strictObject({ condition: z.enum(['service_healthy', 'service_started']) }))
      .optional(),
    // Numbers and booleans are read back as other text than was written: strings only.
    environment: z.record(z.string(), z.string()).optional(),
    ports: z.array(z.string().regex(/^127\.0\.0\.1:\d+:\d+$/)).optional(),
    expose: z.array(z.string().regex(/^\d+$/)).optional(),
    volumes: z.array(z.string()).optional(),
    healthcheck: z
      .strictObject({
        test: z.tuple([z.enum(['CMD', 'CMD-SHELL'])], z.string()),
        interval: Duration,
        timeout: Duration,
        retries: z.int().positive(),
        start_period: Duration.optional(),
      })
      .optional(),
    init: z.boolean().optional(),
    stop_grace_period: Duration.optional(),
    restart: z.enum(['no', 'always', 'on-failure', 'unless-stopped']).optional(),
    configs: z.array(z.strictObject({ source: z.string(), target: z.string().startsWith('/') })).optional(),
    deploy: z.strictObject({ replicas: z.int().positive() }).optional(),
  })
  .refine(({ image, build }) => (image === undefined) !== (build === undefined), 'an image, or what builds it');
const Compose = z.strictObject({
  name: z.string().regex(/^[a-z0-9][a-z0-9_-]*$/),
  services: z.record(z.string(), Service),
  volumes: z.record(z.string(), z.null()),
  configs: z.record(z.string(), z.strictObject({ content: z.string() })),
});
type Compose = z.infer<typeof Compose>;

/** What each image reads, by its own documentation. */
const READ_BY: Readonly<Record<string, readonly string[]>> = {
  postgres: ['POSTGRES_USER', 'POSTGRES_PASSWORD', 'POSTGRES_DB'],
  'temporalio/auto-setup': [
    'DB',
    'DB_PORT',
    'POSTGRES_SEEDS',
    'POSTGRES_USER',
    'POSTGRES_PWD',
    'DYNAMIC_CONFIG_FILE_PATH',
  ],
  'temporalio/ui': ['TEMPORAL_ADDRESS'],
};

/** Whether our code, or a project as `init` writes it, reads a variable. */
function isRead(name: string): boolean {
  const code = allFiles().filter(({ path }) => path.startsWith('src/') && path.endsWith('.ts'));
  const project = Object.values(exampleFiles({ project: 'x', start: '2026-01-01' }));
  return (
    code.some(({ text }) => new RegExp(`\\benv(?:\\[|\\(\\s*)'${name}'`).test(text)) ||
    project.some((text) => text.includes(`\${${name}`))
  );
}

const hostPorts = (compose: Compose): string[] =>
  Object.values(compose.services).flatMap(({ ports = [] }) => ports.map((port) => port.split(':')[1] ?? ''));

/** All that is wrong with a compose file, beside its shape. */
function mistakes(compose: Compose, docs: string): string[] {
  const found: string[] = [];
  const say = (wrong: boolean, what: string): void => {
    if (wrong) found.push(what);
  };
  for (const [name, service] of Object.entries(compose.services)) {
    const [image = '', tag] = service.image?.split(':') ?? [];
    say(service.image !== undefined && !/^\d+\.\d+/.test(tag ?? ''), `${name}: ${service.image} is not pinned`);
    for (const { source, target } of service.configs ?? []) {
      say(!compose.configs[source], `${name}: no config ${source}`);
      say(!Object.values(service.environment ?? {}).includes(target), `${name}: nothing reads ${target}`);
    }
    for (const [other, { condition }] of Object.entries(service.depends_on ?? {})) {
      say(!compose.services[other], `${name}: no service ${other}`);
      say(condition === 'service_healthy' && !compose.services[other]?.healthcheck, `${other} has no healthcheck`);
    }
    for (const variable of Object.keys(service.environment ?? {}))
      say(service.image ? !READ_BY[image]?.includes(variable) : !isRead(variable), `${name}: nobody reads ${variable}`);
    for (const volume of service.volumes ?? [])
      say(
        /^[a-z]/.test(volume) && !Object.hasOwn(compose.volumes, volume.split(':')[0] ?? ''),
        `${name}: no volume ${volume}`,
      );
    say((service.deploy?.replicas ?? 1) > 1 && service.ports !== undefined, `${name}: replicas share a host port`);
    for (const text of Object.values(service.environment ?? {}))
      for (const [, host = ''] of text.matchAll(/(?:@|^)([a-z-]+):\d+/g))
        say(!compose.services[host], `${name}: no service ${host} to connect to`);
  }
  const ports = hostPorts(compose);
  say(new Set(ports).size < ports.length, `a port is used twice: ${ports.join(' ')}`);
  for (const port of ports) say(!docs.includes(`localhost:${port}`), `docs/operating.md does not name port ${port}`);
  return found;
}

const compose = (): Compose => Compose.parse(parse(read('docker-compose.yml')));

test('docker-compose.yml is of the specification, and of what we have', () => {
  assert.deepEqual(mistakes(compose(), read('docs/operating.md')), []);
});

test('variables of docker-compose.yml are in the documents', () => {
  const named = [...read('docker-compose.yml').matchAll(/\$\{(\w+)/g)].map(([, name = '']) => name);
  const documents =
    read('docs/operating.md') + (exampleFiles({ project: 'x', start: '2026-01-01' })['sluice.yaml'] ?? '');
  assert.deepEqual(
    named.filter((name) => !documents.includes(name)),
    [],
  );
});

test('what a worker serves for its health is what it is told to serve', () => {
  const { environment, expose, healthcheck, deploy, stop_grace_period } = compose().services['worker'] ?? {};
  const port = environment?.['SLUICE_METRICS_PORT'] ?? '';
  assert.deepEqual(expose, [port]);
  assert.ok(healthcheck?.test.at(-1)?.includes(`:${port}/metrics`));
  assert.ok((deploy?.replicas ?? 1) > 1);
  assert.ok(Number.parseInt(stop_grace_period ?? '', 10) > 45, 'a drain takes 45 s at most (src/worker/run.ts)');
});

test('mistakes in a compose file are found', () => {
  const bad: Compose = {
    name: 'x',
    services: {
      a: {
        image: 'postgres:latest',
        ports: ['127.0.0.1:1:1'],
        environment: { POSTGRES_PASS: 'x' },
        configs: [{ source: 'lost', target: '/x' }],
      },
      b: {
        build: '.',
        ports: ['127.0.0.1:1:2'],
        depends_on: { a: { condition: 'service_healthy' }, c: { condition: 'service_started' } },
        environment: { SLUICE_WORD: 'x', WAREHOUSE_URL: 'postgres://u:p@gone:5432/x' },
        volumes: ['lost:/data'],
        deploy: { replicas: 2 },
      },
    },
    volumes: {},
    configs: {},
  };
  assert.deepEqual(mistakes(bad, ''), [
    'a: postgres:latest is not pinned',
    'a: no config lost',
    'a: nothing reads /x',
    'a: nobody reads POSTGRES_PASS',
    'a has no healthcheck',
    'b: no service c',
    'b: nobody reads SLUICE_WORD',
    'b: no volume lost:/data',
    'b: replicas share a host port',
    'b: no service gone to connect to',
    'a port is used twice: 1 1',
    'docs/operating.md does not name port 1',
    'docs/operating.md does not name port 1',
  ]);
  assert.throws(() => Compose.parse({ ...compose(), services: { a: { image: 'x:1.0', comand: 'y' } } }), /comand/);
});

test('the Dockerfile copies what there is, links the command that package.json names, and runs a verb', () => {
  const text = read('Dockerfile');
  const instructions = [...text.matchAll(/^([A-Z]+) (.*)$/gm)].map(([, name = '', rest = '']) => ({ name, rest }));
  const copied = instructions
    .filter(({ name, rest }) => name === 'COPY' && !rest.startsWith('--from'))
    .flatMap(({ rest }) => rest.split(' ').slice(0, -1));
  const allowed = read('.dockerignore').split('\n');
  assert.ok(copied.length > 5);
  assert.deepEqual(
    copied.filter((path) => !existsSync(join(ROOT, path)) || !allowed.includes(`!${path}`)),
    [],
  );
  const { bin } = z.object({ bin: z.object({ sluice: z.string() }) }).parse(JSON.parse(read('package.json')));
  assert.ok(text.includes(`ln -s /sluice/${bin.sluice} /usr/local/bin/sluice`));
  const last = (wanted: string): string => instructions.filter(({ name }) => name === wanted).at(-1)?.rest ?? '[]';
  assert.deepEqual(JSON.parse(last('ENTRYPOINT')), ['sluice']);
  const verbs = COMMANDS.map(({ make }) => make(silentIo(), () => undefined).name());
  const [verb = ''] = z.array(z.string()).parse(JSON.parse(last('CMD')));
  assert.ok(verbs.includes(verb), verb);
  const engines = z.object({ engines: z.object({ node: z.string() }) }).parse(JSON.parse(read('package.json'))).engines;
  for (const { rest } of instructions.filter(({ name }) => name === 'FROM')) {
    const [, version] = /^node:(\d+\.\d+\.\d+)-/.exec(rest) ?? [];
    assert.ok(Number.parseInt(version ?? '0', 10) >= Number.parseInt(engines.node.replace('>=', ''), 10), rest);
  }
});
