/** What no SQL of the project shows: datasets that a function or an extract reads, and tables in which publishing would do more or less than it says. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type pg from 'pg';
import type { Problem } from '../../src/contracts/errors.js';
import { checkProject } from '../../src/planning/check.js';
import { openProject } from '../../src/worker/open.js';
import { numberOf, projectYaml } from '../support/backfills.js';
import { startStack, type Stack } from '../support/stack.js';

const READING = {
  'datasets/reading.yaml': 'extract: { from: ops, table: public.meter, time: at }\nkey: [id]\nstart: 2024-01-01\n',
};
const RANGE = ['--from', '2024-01-01', '--to', '2024-01-03'];

let stack: Stack;
let warehouse: pg.Client;
let project: string;
before(async () => {
  stack = await startStack();
  warehouse = await stack.connect('warehouse');
  const ops = await stack.connect('ops');
  await ops.query(`CREATE TABLE meter (id int PRIMARY KEY, at timestamptz NOT NULL, v int NOT NULL);
    INSERT INTO meter SELECT i, timestamptz '2024-01-01 00:00Z' + i * interval '1 hour', 1 FROM generate_series(0, 47) i`);
  project = stack.project('hidden', { 'sluice.yaml': projectYaml('hidden'), ...READING });
  await stack.worker(project);
  await build();
  await warehouse.query(`CREATE VIEW public.readings AS SELECT * FROM hidden.reading;
    CREATE FUNCTION public.total(a timestamptz, b timestamptz) RETURNS bigint LANGUAGE sql STABLE AS 'SELECT sum(v) FROM hidden.reading WHERE at >= a AND at < b';
    CREATE FUNCTION public.indirect(a timestamptz, b timestamptz) RETURNS bigint LANGUAGE plpgsql STABLE AS 'BEGIN RETURN public.total(a, b); END';
    CREATE FUNCTION public.by_view(a timestamptz, b timestamptz) RETURNS bigint LANGUAGE sql IMMUTABLE AS 'SELECT count(*) FROM readings WHERE at < b';
    CREATE FUNCTION public.by_path(a timestamptz, b timestamptz) RETURNS bigint LANGUAGE sql STABLE SET search_path = hidden AS 'SELECT sum(v) FROM reading';
    CREATE FUNCTION public.soon(a timestamptz, b timestamptz) RETURNS bigint LANGUAGE plpgsql STABLE AS 'BEGIN RETURN (SELECT count(*) FROM hidden.later); END';
    CREATE FUNCTION public.pure(a timestamptz, b timestamptz) RETURNS bigint LANGUAGE sql IMMUTABLE AS 'SELECT extract(epoch FROM b - a)::bigint';
    CREATE FUNCTION public.table_of() RETURNS bigint LANGUAGE sql STABLE AS 'SELECT sum(v) FROM hidden.reading';
    CREATE VIEW public.summed AS SELECT public.table_of() AS total`);
});
after(() => stack.stop());

async function build(...more: string[]): Promise<void> {
  const { code, out, err } = await stack.sluice(['backfill', '-p', project, 'reading', ...RANGE, '--wait', ...more]);
  assert.equal(code, 0, out + err);
}

/** What checking the project with some more datasets tells, by dataset. */
async function told(name: string, files: Readonly<Record<string, string>>): Promise<ReadonlyMap<string, Problem>> {
  const projectDir = stack.project(name, { 'sluice.yaml': projectYaml('hidden'), ...READING, ...files });
  const opened = await openProject({ projectDir, environment: 'default', env: stack.env });
  const { problems } = await opened
    .db()
    .then((db) => checkProject({ project: opened.project(), db, pool: opened.pool }))
    .finally(opened.close);
  return new Map(problems.map((problem) => [problem.file.replace(/^datasets\/|\.\w+$/g, ''), problem]));
}

const day = (item: string, more = ''): string =>
  `/*\ntime: day\nstart: 2024-01-01\n${more}*/\nSELECT :start::timestamptz AS day, ${item} AS n WHERE :start < :end\n`;

test('a function that reads a dataset is refused, whatever its language and however it comes to it; allow is the author’s word', async () => {
  const problems = await told('functions', {
    'datasets/direct.sql': day('total(:start, :end)'),
    'datasets/qualified.sql': day('public.indirect(:start, :end)'),
    'datasets/by_view.sql': day('by_view(:start, :end)'),
    'datasets/by_path.sql': day('by_path(:start, :end)'),
    'datasets/soon.sql': day('soon(:start, :end)'),
    'datasets/later.sql': day('1'),
    'datasets/summed.sql': day('(SELECT total FROM public.summed)', 'reads: [public.summed]\n'),
    'datasets/pure.sql': day('pure(:start, :end)'),
    'datasets/meant.sql': day('total(:start, :end)', 'allow: [total]\n'),
  });
  assert.deepEqual(
    Object.fromEntries(
      [...problems]
        .map(([name, { code, message }]) => [name, `${code} ${/dataset \w+/.exec(message)?.[0] ?? ''}`])
        .sort(),
    ),
    {
      by_path: 'reads_by_function dataset reading',
      by_view: 'reads_by_function dataset reading',
      direct: 'reads_by_function dataset reading',
      qualified: 'reads_by_function dataset reading',
      soon: 'reads_by_function dataset later',
      summed: 'reads_by_function dataset reading',
    },
  );
});

test('an extract of a dataset of its own project is refused, as a table, in a query and behind a view; another one of the warehouse is not', async () => {
  await warehouse.query(`CREATE TABLE public.plain AS SELECT 1 AS id, timestamptz '2024-01-01Z' AS at`);
  const from = (what: string): string => `extract: { from: warehouse, ${what}, time: at }\nstart: 2024-01-01\n`;
  const problems = await told('extracts', {
    'datasets/copy.yaml': from('table: hidden.reading'),
    'datasets/query.yaml': from('query: "WITH x AS (SELECT * FROM hidden.reading) SELECT id, at FROM x"'),
    'datasets/behind.yaml': from('table: public.readings'),
    'datasets/plain.yaml': from('table: public.plain'),
  });
  assert.deepEqual(Object.fromEntries([...problems].map(([name, { code }]) => [name, code]).sort()), {
    behind: 'reads_dataset',
    copy: 'reads_dataset',
    query: 'reads_dataset',
  });
});

test('a table whose rows take others with them, or which a trigger or a crash would change, is refused; what is printed mends it', async () => {
  const code = async (name: string): Promise<string | undefined> => (await told(name, {})).get('reading')?.code;
  const mend = async (name: string, is: string): Promise<void> => {
    const problem = (await told(name, {})).get('reading');
    assert.equal(problem?.code, is, problem?.message);
    await warehouse.query(/ALTER TABLE .*;/.exec(problem.remedy ?? '')?.[0] ?? 'nothing is printed');
  };
  for (const action of ['CASCADE', 'SET NULL']) {
    await warehouse.query(`CREATE TABLE public.note (id int REFERENCES hidden.reading (id) ON DELETE ${action});
      INSERT INTO public.note SELECT id FROM hidden.reading`);
    await mend(`cascade-${action.slice(0, 3)}`, 'deletes_elsewhere');
    await build('--rebuild', 'all');
    assert.equal(await numberOf(warehouse, 'SELECT count(id) AS n FROM public.note'), 48);
    await warehouse.query('DROP TABLE public.note');
  }
  await warehouse.query('ALTER TABLE hidden.reading SET UNLOGGED');
  await mend('unlogged', 'unlogged_table');
  await warehouse.query(`CREATE FUNCTION public.swallow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
    CREATE TRIGGER swallow BEFORE DELETE ON hidden.reading FOR EACH ROW EXECUTE FUNCTION public.swallow()`);
  assert.equal(await code('trigger'), 'row_trigger');
  const allowed = await told('allowed', {
    'datasets/reading.yaml': `${READING['datasets/reading.yaml']}allow: [swallow]\n`,
  });
  assert.equal(allowed.size, 0);
  await warehouse.query('ALTER TABLE hidden.reading DISABLE TRIGGER swallow');
  assert.equal(await code('disabled'), undefined);
});
