import assert from 'node:assert/strict';
import { mkdirSync, renameSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { readProjectFiles } from '../../src/project/files.js';
import { loadProject } from '../../src/project/load.js';
import { eventually } from '../support/eventually.js';
import { startStack, type Stack } from '../support/stack.js';

let stack: Stack;
before(async () => {
  stack = await startStack();
});
after(() => stack.stop());

const sql = (n: number): string =>
  `/*\ntime: d\n*/\nSELECT d, ${n} AS n FROM generate_series(:start, :end - interval '1 day', interval '1 day') d\n`;

test('a worker that watches deploys each change, however a file is saved', async () => {
  const folder = stack.project('watched', {
    'sluice.yaml': `project: watched
timezone: UTC
connections: { w: { type: postgres, url: "embedded:watched" } }
warehouse: w
schema: m
defaults: { grain: day, start: 2024-01-01 }
`,
    'datasets/one.sql': sql(0),
    'elsewhere/linked.sql': sql(0),
  });
  const datasets = (path: string): string => join(folder, 'datasets', path);
  const renamedOver = (n: number) => (): void => {
    writeFileSync(datasets('.one.sql.swp'), sql(n));
    renameSync(datasets('.one.sql.swp'), datasets('one.sql'));
  };
  await stack.worker(folder, ['--watch']);
  const warehouse = await stack.connect('watched');
  const deployed = async (): Promise<string> => {
    const { rows } = await warehouse.query<{ hash: string }>('SELECT definition AS hash FROM sluice.deployments');
    return rows[0]?.hash ?? '';
  };
  const saves: readonly (readonly [string, () => void])[] = [
    ['written in place', () => writeFileSync(datasets('one.sql'), sql(1))],
    ['another renamed over it', renamedOver(2)],
    ['and again', renamedOver(3)],
    ['and again', renamedOver(4)],
    ['written in place after that', () => writeFileSync(datasets('one.sql'), sql(5))],
    [
      'deleted and made anew',
      () => {
        unlinkSync(datasets('one.sql'));
        writeFileSync(datasets('one.sql'), sql(6));
      },
    ],
    [
      'a new folder in a new folder',
      () => {
        mkdirSync(datasets('a/b'), { recursive: true });
        writeFileSync(datasets('a/b/two.sql'), sql(1));
      },
    ],
    [
      'a file of it renamed over',
      () => {
        writeFileSync(datasets('a/b/two.tmp'), sql(2));
        renameSync(datasets('a/b/two.tmp'), datasets('a/b/two.sql'));
      },
    ],
    ['the folder renamed', () => renameSync(datasets('a'), datasets('c'))],
    ['the folder removed', () => rmSync(datasets('c'), { recursive: true })],
    ['a link', () => symlinkSync(join(folder, 'elsewhere/linked.sql'), datasets('linked.sql'))],
    ['what it leads to', () => writeFileSync(join(folder, 'elsewhere/linked.sql'), sql(7))],
    [
      'sluice.yaml renamed over',
      () => {
        writeFileSync(
          join(folder, 'draft'),
          'project: watched\ntimezone: UTC\nconnections: { w: { type: postgres, url: "embedded:watched" } }\nwarehouse: w\nschema: n\ndefaults: { grain: day, start: 2024-01-01 }\n',
        );
        renameSync(join(folder, 'draft'), join(folder, 'sluice.yaml'));
      },
    ],
  ];
  for (const [how, save] of saves) {
    const before = await deployed();
    save();
    const { hash } = await loadProject(await readProjectFiles(folder), { environment: 'default', env: {} });
    assert.notEqual(hash, before, how);
    await eventually(how, async () => (await deployed()) === hash, 10_000);
  }
});
