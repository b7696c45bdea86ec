import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RequestError } from '../../src/contracts/errors.js';
import { setFlags } from '../../src/project/set-flags.js';
import { parseStatement } from '../../src/project/sql/statement.js';
import { locator, type Flags } from '../../src/project/text.js';
import { load, loadDataset, problemsOf, projectFiles, SLUICE_YAML, transform } from './helpers.js';

const FLAGS: Flags = new Map<string, string | number | boolean>([
  ['days', 90],
  ['least', -1.5],
  ['on', true],
  ['name', "O'Neil\n\\"],
  ['plain', 'x'],
]);
const parse = (sql: string) => parseStatement(sql, locator(sql), FLAGS);

test('a flag is the literal of its value, whatever stands beside it; not in strings, comments and names', () => {
  const texts: readonly (readonly [string, string])[] = [
    ['SELECT :flag_days', 'SELECT  90 \n'],
    ['SELECT 1 WHERE a>:flag_least', 'SELECT 1 WHERE a> (-1.5) \n'],
    ['SELECT 1 WHERE true AND:flag_on', 'SELECT 1 WHERE true AND true \n'],
    ['SELECT :flag_name::text', "SELECT  E'O\\'Neil\\n\\\\' ::text\n"],
    [
      'SELECT :flag_plain, \':flag_plain\', ":flag_plain" FROM t -- :flag_plain',
      "SELECT  'x' , ':flag_plain', \":flag_plain\" FROM t -- :flag_plain\n",
    ],
  ];
  for (const [sql, text] of texts) {
    const { parsed, mistakes } = parse(sql);
    assert.deepEqual(mistakes, [], sql);
    assert.equal(parsed?.statement.text, text);
  }
});

test('places of what comes before, between and after flags are those of the author’s text', () => {
  const sql = 'SELECT a.b.c, :flag_name, d.e.f, :flag_days\n, g.h.i, :flag_dayz, :stop FROM r, :flag_plain';
  const { parsed, mistakes } = parse(sql.replace(', :flag_dayz, :stop', '').replace(', :flag_plain', ''));
  const clean = sql.replace(', :flag_dayz, :stop', '').replace(', :flag_plain', '');
  assert.deepEqual(
    parsed?.columns.map(({ offset }) => clean.slice(offset, offset + 5)),
    ['a.b.c', 'd.e.f', 'g.h.i'],
  );
  const [relation] = parsed.statement.relations;
  assert.deepEqual([relation?.line, relation?.column], [2, ', g.h.i FROM r'.length]);
  const wrong = parse(sql.replace(', :flag_plain', ''));
  assert.deepEqual(
    wrong.mistakes.map(({ code, offset }) => [code, sql.slice(offset, offset + 5)]),
    [
      ['unknown_flag', ':flag'],
      ['unknown_parameter', ':stop'],
    ],
  );
  assert.match(wrong.mistakes[0]?.remedy ?? '', /did you mean days/);
  assert.deepEqual(mistakes, []);
});

const yaml = (flags: string, environment = ''): string => `${SLUICE_YAML}flags: ${flags}\n${environment}`;
const USING = transform('SELECT t, :flag_x AS x FROM raw WHERE t >= :start AND t < :end');
const versions = async (flags: string): Promise<readonly string[]> => {
  const files = projectFiles({ 'sluice.yaml': yaml(flags), 'datasets/using.sql': USING });
  return [(await loadDataset(files, 'using')).version, (await loadDataset(files, 'clean')).version];
};

test('the value of a flag is in the version of what uses it, and of nothing else', async () => {
  const [one, other, quoted] = [
    await versions('{ x: 1 }'),
    await versions('{ x: 2, y: 3 }'),
    await versions('{ x: "1" }'),
  ];
  assert.notEqual(one[0], other[0]);
  assert.notEqual(one[0], quoted[0]);
  assert.equal(one[1], other[1]);
});

test('an environment has values of its own; an extract’s query takes flags too', async () => {
  const files = projectFiles({
    'sluice.yaml': yaml('{ x: 1, y: a }', 'environments: { dev: { flags: { x: 7 } } }\n'),
    'datasets/using.sql': USING,
    'datasets/asked.yaml': 'extract:\n  from: ops\n  time: t\n  query: SELECT t FROM r WHERE k = :flag_y\n',
  });
  const { flags, datasets } = await load(files, { environment: 'dev' });
  assert.deepEqual(
    [...flags],
    [
      ['x', 7],
      ['y', 'a'],
    ],
  );
  const body = datasets.get('asked')?.body;
  assert.match(body?.kind === 'extract' ? (body.query?.text ?? '') : '', /k = {2}'a'/);
});

test('what is wrong with flags is said with its place', async () => {
  const told = async (files: Record<string, string>): Promise<readonly unknown[]> =>
    (await problemsOf(projectFiles(files))).map(({ file, line, code }) => [file, line, code]);
  assert.deepEqual(await told({ 'sluice.yaml': yaml('{ Bad-Name: 1 }') }), [['sluice.yaml', 9, 'invalid_value']]);
  assert.deepEqual(await told({ 'sluice.yaml': yaml('{ x: [1] }') }), [['sluice.yaml', 9, 'invalid_value']]);
  assert.deepEqual(await told({ 'datasets/using.sql': USING }), [['datasets/using.sql', 4, 'unknown_flag']]);
});

test('a number of more digits than a number keeps is refused, in the file and by --set', async () => {
  for (const written of ['9007199254740993', '12345678901234567890.5', '0.12345678901234567890']) {
    const files = projectFiles({ 'sluice.yaml': yaml(`{ x: ${written} }`), 'datasets/using.sql': USING });
    assert.equal((await problemsOf(files))[0]?.code, 'bad_flag', written);
  }
  for (const written of ['9007199254740991', '1e21', '-0', '0.1', '123456789.012345'])
    assert.equal((await versions(`{ x: ${written} }`)).length, 2, written);
  assert.throws(
    () => setFlags({}, new Map([['x', 5]]), { x: '9007199254740993' }),
    (error) =>
      error instanceof RequestError && error.code === 'bad_flag' && /9007199254740993 has more/.test(error.message),
  );
});

test('what one backfill sets is a part of its definition, typed as the flag is', async () => {
  const project = await load(
    projectFiles({ 'sluice.yaml': yaml('{ x: 1, on: false, name: a }'), 'datasets/using.sql': USING }),
  );
  const set = async (values: Record<string, string | number | boolean>) =>
    load(setFlags(project.files, project.flags, values), { registered: true });
  const changed = await set({ x: '7', on: 'true', name: '5' });
  assert.deepEqual(
    [...changed.flags],
    [
      ['x', 7],
      ['on', true],
      ['name', '5'],
    ],
  );
  assert.notEqual(changed.hash, project.hash);
  assert.notEqual(changed.datasets.get('using')?.version, project.datasets.get('using')?.version);
  // What was set stays when it is set again, and read from the store it is the same.
  const again = await load(setFlags(changed.files, changed.flags, { on: false }), { registered: true });
  assert.deepEqual(
    [...again.flags],
    [
      ['x', 7],
      ['on', false],
      ['name', '5'],
    ],
  );
  assert.equal((await load({ ...changed.files }, { registered: true })).hash, changed.hash);
  for (const [values, code] of [
    [{ y: 1 }, 'unknown_flag'],
    [{ x: 'many' }, 'bad_flag'],
    [{ on: 'yes' }, 'bad_flag'],
    [{ name: 5 }, 'bad_flag'],
  ] as const)
    assert.throws(
      () => setFlags(project.files, project.flags, values),
      (error) => error instanceof RequestError && error.code === code,
    );
});
