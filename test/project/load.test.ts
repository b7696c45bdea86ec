import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { ProjectError, RequestError } from '../../src/contracts/errors.js';
import { readProjectFiles } from '../../src/project/files.js';
import {
  FIXTURES,
  load,
  loadDataset,
  problemsOf,
  projectFiles,
  RAW_YAML,
  SLUICE_YAML,
  statementOf,
  transform,
} from './helpers.js';
import type { Files } from './helpers.js';

const flights = (): Promise<Files> => readProjectFiles(join(FIXTURES, 'flights'));

test('the project that the contract prints', async () => {
  const project = await load(await flights());
  assert.deepEqual(
    [
      project.name,
      project.environment,
      project.timezone,
      project.warehouse,
      project.schema,
      project.protected,
      project.defer,
    ],
    ['flights', 'default', 'UTC', 'warehouse', 'analytics', false, undefined],
  );
  assert.deepEqual(
    [...project.connections.values()],
    [
      {
        name: 'ops',
        type: 'postgres',
        url: '${OPS_URL:-embedded:ops}',
        budget: { law: 'fixed', slots: 4, windows: [], holdWhen: [] },
        alternates: [],
      },
      {
        name: 'warehouse',
        type: 'postgres',
        url: '${WAREHOUSE_URL:-embedded:warehouse}',
        budget: { law: 'fixed', slots: 4, rate: 20, windows: [], holdWhen: [] },
        alternates: [],
      },
    ],
  );
  assert.deepEqual([...project.datasets.keys()], ['flights_raw', 'flights_clean', 'carrier_7d']);
});

test('a budget as a person writes it', async () => {
  const yaml = `budget:
        law: adaptive
        slots: 8
        cores: 16
        windows:
          - { days: mon-fri, from: 08:00, to: "18:00", timezone: America/New_York, slots: 1, rate: 2 }
          - { days: [sat, sun], from: "22:00", to: "06:00", slots: 0 }
          - { days: fri-sat, from: "2:00", to: "03:00", timezone: UTC, slots: 8 }
        hold_when: [{ name: lag, query: "SELECT 1;", above: 5 }]`;
  const files = projectFiles({
    'sluice.yaml': SLUICE_YAML.replace('timezone: UTC', 'timezone: Asia/Tokyo').replace(
      'ops: { type: postgres, url: embedded:ops }',
      `ops:\n      type: postgres\n      url: embedded:ops\n      ${yaml}`,
    ),
  });
  const budget = (await load(files)).connections.get('ops')?.budget;
  const [fromEight, toEighteen] = [8 * 60, 18 * 60];
  assert.deepEqual(budget, {
    law: 'adaptive',
    slots: 8,
    cores: 16,
    windows: [
      { days: [0, 1, 2, 3, 4], from: fromEight, to: toEighteen, zone: 'America/New_York', slots: 1, rate: 2 },
      { days: [5, 6], from: 22 * 60, to: 30 * 60, zone: 'Asia/Tokyo', slots: 0 },
      { days: [4, 5], from: 2 * 60, to: 3 * 60, zone: 'UTC', slots: 8 },
    ],
    holdWhen: [{ name: 'lag', query: 'SELECT 1 \n', above: 5 }],
  });
});

test('a budget is no part of any version', async () => {
  const versions = async (yaml: string): Promise<string[]> =>
    [...(await load(projectFiles({ 'sluice.yaml': yaml }))).datasets.values()].map(({ version }) => version);
  const budget = 'budget: { law: adaptive, slots: 2, windows: [{ from: "8:00", to: "9:00", slots: 1 }] }';
  assert.deepEqual(
    await versions(SLUICE_YAML.replaceAll('url: embedded:wh', `url: embedded:wh, ${budget}`)),
    await versions(SLUICE_YAML),
  );
});

test('the extract that the contract prints', async () => {
  const { version, ...dataset } = await loadDataset(await flights(), 'flights_raw');
  assert.match(version, /^[0-9a-f]{16}$/);
  assert.deepEqual(dataset, {
    name: 'flights_raw',
    file: 'datasets/ops/flights_raw.yaml',
    axis: { grain: 'day', zone: 'UTC' },
    start: Date.UTC(2013, 0, 1),
    readyAfter: { months: 0, days: 0, ms: 0 },
    table: { schema: 'analytics', name: 'flights_raw' },
    time: 'time_hour',
    key: ['id'],
    needs: [],
    reads: [],
    allow: [],
    publish: 'replace',
    moves: 'follow',
    storage: 'plain',
    onSchemaChange: 'add',
    refresh: 'never',
    mask: [],
    grants: [],
    coalesce: 'auto',
    scan: 'auto',
    priority: 3,
    tags: ['core'],
    columns: [],
    owner: 'data-platform',
    description: 'Every departure from New York',
    body: {
      kind: 'extract',
      from: 'ops',
      table: { schema: 'public', name: 'flights' },
      time: { column: 'time_hour' },
      sourceTimezone: 'America/New_York',
    },
  });
});

test('the transform that the contract prints', async () => {
  const dataset = await loadDataset(await flights(), 'carrier_7d');
  assert.deepEqual(dataset.needs, [{ dataset: 'flights_clean', lookback: { months: 0, days: 6, ms: 0 } }]);
  assert.deepEqual([dataset.time, dataset.key], ['day', ['day', 'carrier']]);
  const { params, relations } = statementOf(dataset);
  assert.deepEqual(
    params.map(({ name }) => name),
    ['start', 'end', 'start', 'end'],
  );
  assert.deepEqual(
    relations.map(({ dataset: read, line, column }) => [read, line, column]),
    [['flights_clean', 10, 6]],
  );
});

test('what a view under reads may hide can be named under needs, and is no table of the SQL', async () => {
  const sql = 'SELECT t FROM far.seen WHERE t >= :start AND t < :end';
  const files = (settings: string): Files => projectFiles({ 'datasets/clean.sql': transform(sql, settings) });
  const dataset = await loadDataset(files('time: t\nreads: [far.seen]\nneeds: { raw: { lookback: 1d } }'), 'clean');
  assert.deepEqual(dataset.needs, [{ dataset: 'raw', lookback: { months: 0, days: 1, ms: 0 }, word: 'author' }]);
  const problems = await problemsOf(files('time: t\nreads: [far.seen]\nneeds: { rw: {}, clean: {} }'));
  assert.deepEqual(
    problems.map(({ code }) => code),
    ['unknown_dataset', 'needs_unread'],
  );
});

test('a project with ten mistakes yields all ten', async () => {
  const problems = await problemsOf(await readProjectFiles(join(FIXTURES, 'ten_mistakes')));
  assert.deepEqual(
    problems.map(({ file, line, code }) => `${file}:${line ?? ''} ${code}`),
    [
      'sluice.yaml:2 unknown_zone',
      'sluice.yaml:5 unknown_connection',
      'datasets/all.sql: reserved_name',
      'datasets/broken.sql:3 sql_error',
      'datasets/clean.sql:3 unknown_key',
      'datasets/clean.sql:5 needs_unread',
      'datasets/clean.sql:7 undeclared_table',
      'datasets/other.sql:4 missing_parameter',
      'datasets/raw.yaml:2 unknown_key',
      'datasets/two.sql:2 several_statements',
    ],
  );
});

const ENVIRONMENTS = `${SLUICE_YAML}environments:
  dev: { schema: "dev_\${USER}", defer: prod, connections: { ops: { url: "other" }, extra: { type: postgres, url: x } } }
  prod: { protected: true }
  other:
`;

test('environments', async () => {
  const files = projectFiles({
    'sluice.yaml': ENVIRONMENTS,
    'datasets/clean.sql': transform('SELECT raw.t FROM analytics.raw WHERE t >= :start AND t < :end'),
  });
  const dev = await load(files, { environment: 'dev', env: { USER: 'ann' } });
  assert.deepEqual([dev.schema, dev.defer, dev.protected], ['dev_ann', 'prod', false]);
  assert.deepEqual(dev.datasets.get('clean')?.table, { schema: 'dev_ann', name: 'clean' });
  assert.deepEqual(
    dev.datasets.get('clean')?.needs,
    [{ dataset: 'raw' }],
    'the project’s own schema names datasets too',
  );
  assert.deepEqual(
    [...dev.connections.values()].map(({ name, url }) => [name, url]),
    [
      ['ops', 'other'],
      ['wh', 'embedded:wh'],
      ['extra', 'x'],
    ],
  );
  const prod = await load(files, { environment: 'prod' });
  assert.deepEqual(
    [prod.schema, prod.protected, prod.connections.get('ops')?.url],
    ['analytics', true, 'embedded:ops'],
  );
  const same = await load(files, { environment: 'other', env: { USER: 'bob' } });
  assert.equal(prod.hash, same.hash, 'a definition does not depend on the environment');
  assert.equal(prod.datasets.get('clean')?.version, dev.datasets.get('clean')?.version);
  assert.equal((await load(files, { environment: 'other' })).schema, 'analytics');
  assert.deepEqual(
    (await problemsOf(files, { environment: 'dev' })).map(({ code, line }) => [code, line]),
    [['unset_variable', 10]],
  );
});

test('a definition holds the schemas that its author meant, and no other value', async () => {
  const files = projectFiles({
    'sluice.yaml': `${ENVIRONMENTS.replace('protected: true', 'schema: "p_${USER}"')}flags: { token: "\${TOKEN}" }\n`,
  });
  const of = (USER: string, options: Partial<Parameters<typeof load>[1]> = {}): ReturnType<typeof load> =>
    load(files, { environment: 'dev', env: { USER, TOKEN: 'hunter2' }, ...options });
  const [ann, bob] = [await of('ann'), await of('bob')];
  assert.notEqual(ann.hash, bob.hash);
  const carried = await load(bob.files, { environment: 'dev', env: { USER: 'ann', TOKEN: '' }, registered: true });
  assert.deepEqual([carried.hash, carried.schema], [bob.hash, 'dev_bob']);
  assert.match(bob.files['sluice.yaml'] ?? '', /token: \$\{TOKEN\}[^]*p_\$\{USER\}/);

  const base = projectFiles({ 'sluice.yaml': SLUICE_YAML.replace('schema: analytics', 'schema: "s_${SUFFIX:-x}"') });
  const moved = await load(base, { env: { SUFFIX: 'y' } });
  assert.equal((await load(moved.files, { registered: true })).schema, 's_y');
});

test('no URL reaches a definition, which can be read again', async () => {
  const secret = 'postgres://u:hunter2@db/x';
  const yaml = `# old: ${secret}\n${ENVIRONMENTS}# new: ${secret}\n`
    .replace('embedded:ops', `&url "${secret}"`)
    .replace('embedded:wh', '*url')
    .replace('url: "other"', `url: "${secret}"`);
  const files = projectFiles({ 'sluice.yaml': yaml, 'notes.txt': secret });
  const project = await load(files);
  assert.equal(project.connections.get('wh')?.url, secret);
  assert.doesNotMatch(JSON.stringify(project.files), /hunter2|postgres:\/\//);
  assert.deepEqual(Object.keys(project.files), ['datasets/clean.sql', 'datasets/raw.yaml', 'sluice.yaml']);
  assert.equal(project.files['datasets/clean.sql'], files['datasets/clean.sql']);

  const again = await load(project.files, { registered: true });
  assert.equal(again.hash, project.hash);
  assert.deepEqual(again.files, project.files);
  assert.deepEqual([...again.datasets], [...project.datasets]);
  assert.deepEqual(
    [...again.connections.values()].map(({ url }) => url),
    ['', ''],
  );
  assert.equal((await problemsOf(project.files))[0]?.code, 'missing_key');
});

test('no password reaches a problem', async () => {
  const secret = 'postgres://u:hunter2@db/x';
  const wrong = [
    'type: postgres',
    'url: embedded:ops',
    'warehouse: wh',
    'schema: analytics',
    '{ type: postgres, url: embedded:ops }',
    'project: p',
    'UTC',
  ];
  for (const text of wrong) {
    for (const written of [
      secret,
      `"${secret}"`,
      `'${secret}`,
      `[${secret}]`,
      `"${secret}`,
      `@${secret}`,
      `%${secret}`,
      `|${secret}`,
      `!x!${secret}`,
      `\`${secret}`,
    ]) {
      const problems = await problemsOf(
        projectFiles({
          'sluice.yaml': SLUICE_YAML.replace(
            text,
            text.replace(/[^ ]*( })?$/, (end) => `${written}${end.endsWith('}') ? ' }' : ''}`),
          ),
        }),
      );
      assert.doesNotMatch(JSON.stringify(problems), /hunter2/, text);
    }
  }
});

test('a definition is named by its files, not by its URLs', async () => {
  const { hash } = await load(projectFiles());
  assert.match(hash, /^[0-9a-f]{64}$/);
  const other = async (files: Record<string, string>): Promise<string> => (await load(projectFiles(files))).hash;
  assert.equal(await other({ 'sluice.yaml': SLUICE_YAML.replace('embedded:ops', 'postgres://elsewhere/x') }), hash);
  assert.notEqual(await other({ 'sluice.yaml': SLUICE_YAML.replace('analytics', 'other') }), hash);
  assert.notEqual(await other({ 'datasets/raw.yaml': `${RAW_YAML}owner: me\n` }), hash);
  assert.notEqual(await other({ 'datasets/raw2.yaml': RAW_YAML }), hash);
});

test('identifiers with quotes, capitals, spaces, colons and Unicode', async () => {
  const files = projectFiles({
    'sluice.yaml': SLUICE_YAML.replace('analytics', '"Odd Schéma"'),
    'datasets/raw.yaml': `extract:\n  from: ops\n  table: '"My ""Source""".:x'\n  time: "T :start"\n`.replace(
      '.:x',
      '."a:b ü"',
    ),
    'datasets/Clean.sql': transform(
      'SELECT "T :start" FROM "Odd Schéma".raw r WHERE "T :start" >= :start AND "T :start" < :end',
      `time: "T :start"\nkey: ["a\\"b", Ünï]\ntable: '"Ta ""ble".X'`,
    ),
    'datasets/clean.sql': transform(
      'SELECT t FROM "Clean" JOIN "Ta ""ble".x USING ("T :start") WHERE "T :start" >= :start AND "T :start" < :end',
    ),
  });
  const project = await load(files);
  const body = project.datasets.get('raw')?.body;
  assert.deepEqual(body?.kind === 'extract' && body.table, { schema: 'My "Source"', name: 'a:b ü' });
  const clean = project.datasets.get('Clean');
  assert.deepEqual(
    [clean?.table, clean?.time, clean?.key],
    [{ schema: 'Ta "ble', name: 'x' }, 'T :start', ['a"b', 'Ünï']],
  );
  assert.deepEqual(project.datasets.get('clean')?.needs, [{ dataset: 'Clean' }]);
});

test('settings over defaults, and what is read without being a dataset', async () => {
  const files = projectFiles({
    'sluice.yaml': SLUICE_YAML.replace('grain: day', 'grain: day, owner: us, priority: 2, ready_after: 1h'),
    'datasets/clean.sql': transform(
      'SELECT t FROM raw, hr.people, lookup, pg_class, information_schema.tables WHERE t >= :start AND t < :end',
      'time: t\nowner: me\ngrain: hour\ntimezone: America/New_York\nstart: 2013-03-10T12:34\nreads: [hr.People, lookup, unused]\nready_after: 0',
    ),
    'datasets/once.sql': transform('SELECT 1 AS one FROM clean WHERE t < :end', 'grain: none\nrefresh: 1d'),
  });
  const { datasets } = await load(files);
  const clean = datasets.get('clean');
  assert.deepEqual([clean?.owner, clean?.priority, clean?.start], ['me', 2, Date.UTC(2013, 2, 10, 16)]);
  assert.deepEqual(clean?.reads, [
    { schema: 'hr', name: 'people' },
    { schema: 'public', name: 'lookup' },
    { schema: 'public', name: 'unused' },
  ]);
  assert.deepEqual(clean.readyAfter, { months: 0, days: 0, ms: 0 });
  const once = datasets.get('once');
  assert.deepEqual(
    [once?.start, once?.time, once?.refresh, once?.owner],
    [-Infinity, null, { months: 0, days: 1, ms: 0 }, 'us'],
  );
  assert.deepEqual(datasets.get('raw')?.readyAfter, { months: 0, days: 0, ms: 3_600_000 });
});

test('a header may be missing, in prose, or begin on the first line', async () => {
  const defaults = SLUICE_YAML.replace('grain: day', 'grain: none');
  for (const header of [
    '',
    '-- x\n',
    '/* Prose about this. */',
    '/* owner: me */',
    '/* owner: me\n   tags: [a] */',
    '-- a\n/*\nowner: me\n*/',
  ]) {
    const files = projectFiles({
      'sluice.yaml': defaults,
      'datasets/raw.yaml': undefined,
      'datasets/clean.sql': `${header}SELECT 1 AS one`,
    });
    const clean = await loadDataset(files, 'clean');
    assert.equal(clean.owner, header.includes('owner') ? 'me' : undefined, header);
  }
});

test('a query of an extract', async () => {
  const files = projectFiles({
    'datasets/raw.yaml':
      'extract:\n  from: ops\n  time: { column: ms, unit: ms }\n  query: |\n    SELECT ms\n    FROM src.events, clean\n    WHERE ms >= :start\n',
    'datasets/clean.sql': transform(
      'SELECT to_timestamp(ms / 1000) AS t FROM raw WHERE ms >= extract(epoch FROM :start) * 1000 AND ms < extract(epoch FROM :end) * 1000',
    ),
  });
  const raw = await loadDataset(files, 'raw');
  assert.ok(raw.body.kind === 'extract' && raw.body.query);
  assert.deepEqual(raw.body.time, { column: 'ms', unit: 'ms' });
  assert.deepEqual(raw.needs, [], 'the tables of a source are no lineage');
  assert.deepEqual(
    raw.body.query.relations.map(({ name, line, column, dataset }) => [name, line, column, dataset]),
    [
      ['events', 6, 10, undefined],
      ['clean', 6, 22, undefined],
    ],
  );
  assert.deepEqual(
    raw.body.query.params.map(({ name }) => name),
    ['start'],
  );
});

test('a dataset of 200 takes no more to load than one of 50: in CPU, which a busy machine does not change', async () => {
  const sql =
    'SELECT t, count(*) AS n, sum(x) FILTER (WHERE y > 3) AS s FROM PREV p JOIN raw USING (t) WHERE p.t >= :start AND p.t < :end GROUP BY 1';
  const cpuOf = async (count: number): Promise<number> => {
    const files = projectFiles();
    for (let i = 0; i < count; i++)
      files[`datasets/sub/d${i}.sql`] = transform(sql.replace('PREV', i === 0 ? 'clean' : `d${i - 1}`));
    const before = process.cpuUsage();
    const { datasets } = await load(files);
    const { user, system } = process.cpuUsage(before);
    assert.deepEqual([...datasets.keys()].slice(0, 4), ['raw', 'clean', 'd0', 'd1']);
    assert.equal(datasets.size, count + 2);
    return (user + system) / count;
  };
  await cpuOf(200);
  const [few, many] = [await cpuOf(50), await cpuOf(200)];
  // 0.6 to 0.7 (four runs).
  assert.ok(many < 2.5 * few, `${many / few} times the CPU of one of 50`);
});

test('reading a folder', async (t) => {
  const dir = await mkdtemp(join(tmpdir(), 'sluice-project-'));
  t.after(() => rm(dir, { recursive: true }));
  await assert.rejects(
    readProjectFiles(dir),
    (error) =>
      error instanceof RequestError &&
      error.code === 'no_project' &&
      /sluice init DIR.*-p DIR/.test(error.remedy ?? ''),
  );
  await mkdir(join(dir, 'datasets/a/b'), { recursive: true });
  await mkdir(join(dir, 'datasets/.hidden'));
  for (const path of [
    'sluice.yaml',
    'datasets/a/b/x.sql',
    'datasets/y.yaml',
    'datasets/z.yml',
    'datasets/notes.md',
    'datasets/.hidden/q.sql',
    'other.sql',
  ])
    await writeFile(join(dir, path), `# ${path}`);
  await symlink('y.yaml', join(dir, 'datasets/linked.yaml'));
  await symlink('..', join(dir, 'datasets/a/loop'));
  assert.deepEqual(Object.keys(await readProjectFiles(dir)).sort(), [
    'datasets/a/b/x.sql',
    'datasets/linked.yaml',
    'datasets/y.yaml',
    'datasets/z.yml',
    'sluice.yaml',
  ]);
  // A device, or a pipe, which would be waited for without an end.
  await symlink('/dev/null', join(dir, 'datasets/pipe.sql'));
  await assert.rejects(
    readProjectFiles(dir),
    (error) => error instanceof RequestError && error.code === 'unreadable_file' && /pipe\.sql/.test(error.message),
  );
  await rm(join(dir, 'datasets/pipe.sql'));
  await writeFile(join(dir, 'datasets/z.yml'), Buffer.from([0xff, 0xfe, 0x00]));
  await assert.rejects(
    readProjectFiles(dir),
    (error) => error instanceof ProjectError && error.problems[0]?.code === 'not_utf8',
  );
});

// Pieces of both languages reach further into the code than random letters do.
const piece = fc.constantFrom(
  ...[
    'project',
    'connections',
    'defaults',
    'environments',
    'extract',
    'from',
    'table',
    'query',
    'time',
    'needs',
    'grain',
    'key',
    'call',
    'x',
    'ops',
    ': ',
    ':',
    '\n',
    '\n  ',
    '- ',
    '{ ',
    ' }',
    '[',
    ']',
    ', ',
    '|',
    '>',
    '&a',
    '*a',
    '"',
    "'",
    '#',
    '!!binary',
    '<<',
    '? ',
    '%',
    '---',
    '...',
    '\t',
    '\r\n',
  ],
  ...[
    '/*',
    '*/',
    '--',
    'SELECT ',
    ' FROM ',
    'raw',
    'WITH a AS (',
    ')',
    '(',
    ';',
    ':start',
    ':end',
    ':x',
    '::',
    '$1',
    '$$',
    "E'\\",
    'U&"',
    'é',
    '😀',
    '\ud800',
    '\0',
    '\f',
    '\ufeff',
    '__proto__',
    'constructor',
    '${',
    '${USER}',
    '}',
    'null',
    '~',
    '0',
    '1e999',
    '.5',
  ],
);
const anyText = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 60 }),
  fc.array(piece, { maxLength: 40 }).map((pieces) => pieces.join('')),
);

test('random text throws nothing but problems', async () => {
  const file = fc.constantFrom(
    'sluice.yaml',
    'datasets/raw.yaml',
    'datasets/clean.sql',
    'datasets/a/new.sql',
    'datasets/new.yml',
  );
  await fc.assert(
    fc.asyncProperty(fc.dictionary(file, anyText, { noNullPrototype: true }), anyText, async (files, tail) => {
      await problemsOf(projectFiles(files));
      await problemsOf(
        projectFiles({
          'sluice.yaml': SLUICE_YAML + tail,
          'datasets/raw.yaml': RAW_YAML + tail,
          'datasets/clean.sql': transform(`SELECT t ${tail}`, `time: t\n${tail}`),
        }),
        { registered: true, environment: 'dev' },
      );
    }),
    { numRuns: 600 },
  );
});
