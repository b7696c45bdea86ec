import { existsSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { Command } from 'commander';
import { RequestError } from '../../contracts/errors.js';
import { DAY_MS } from '../../core/time/calendar.js';
import { PROJECT_FILE } from '../../project/config.js';
import { isReserved, NAME } from '../../project/names.js';
import { convertDbt } from '../../project/dbt/convert.js';
import { readManifest } from '../../project/dbt/manifest.js';
import { print, type Io } from '../io.js';
import { addCommon, type CommonOptions } from '../options.js';
import { shellWord } from '../render/command.js';
import { exampleFiles } from '../templates/example.js';
import type { Verb } from '../verb.js';

/** Days of made-up data: enough to watch, built in seconds. */
const EXAMPLE_DAYS = 90;

/** `sluice init DIR`: a small project that works as it is. */
export const init: Verb = {
  make: (io) =>
    addCommon(new Command('init').description('write a small working project').argument('<dir>'))
      .option('--from-dbt <manifest>', 'make it of the models that dbt compiled: target/manifest.json')
      .action(async (dir: string, options: CommonOptions & { readonly fromDbt?: string }) => {
        const folder = resolve(io.cwd(), options.project, dir);
        const project = projectName(basename(folder));
        if (options.fromDbt !== undefined) {
          await fromDbt(io, { folder, project, manifest: resolve(io.cwd(), options.fromDbt), json: options.json });
          return;
        }
        const start = new Date(io.now() - EXAMPLE_DAYS * DAY_MS).toISOString().slice(0, 10);
        const { written, kept } = await writeProject(folder, exampleFiles({ project, start }));
        const document = { project, directory: folder, files: written, kept };
        print(io, options.json, document, () => lines(folder, project, written, kept));
      }),
};

interface FromDbt {
  readonly folder: string;
  readonly project: string;
  readonly manifest: string;
  readonly json: boolean;
}

/** No manifest says it, and SQL may rest on it. */
const SESSION =
  'SQL runs in the time zone UTC and with the search_path of its role: compare both with those of dbt’s role and profile.';

/** A project made of dbt's compiled models; what is not in it is said here, and in a file beside it. */
async function fromDbt(io: Io, { folder, project, manifest, json }: FromDbt): Promise<void> {
  const text = await readFile(manifest, 'utf8').catch((cause: unknown) => {
    throw new RequestError(
      'bad_manifest',
      `cannot read ${manifest}`,
      'run `dbt compile --full-refresh`, and name target/manifest.json',
      {
        cause,
      },
    );
  });
  const { files, datasets, notCarried } = await convertDbt(readManifest(text, manifest), project);
  const listed = notCarried.map(({ id, reason }) => `- ${id}: ${reason}`);
  const report = `# Not carried over from dbt\n\n${SESSION}\n\n${listed.join('\n')}\n`;
  const { written, kept } = await writeProject(folder, { ...files, 'NOT_CARRIED.md': report });
  print(io, json, { project, directory: folder, files: written, kept, datasets, notCarried }, () => [
    `project ${project} in ${folder}: ${datasets.length} datasets of dbt’s models`,
    ...(listed.length === 0 ? [] : ['', 'not carried over, or not as it was (also in NOT_CARRIED.md):', ...listed]),
    '',
    'type next:',
    '  export WAREHOUSE_URL=postgres://…',
    `  npx sluice validate --connect -p ${shellWord(folder)}`,
    '  npx sluice adopt DATASET --from … --to …   # takes the rows that dbt wrote into the ledger',
  ]);
}

/** A folder's name as a project's: what is not allowed in one becomes `_`. */
export function projectName(folder: string): string {
  const plain = folder
    .replace(/[^A-Za-z0-9_-]+/g, '_')
    .replace(/^[-_]+|[-_]+$/g, '')
    .slice(0, 50);
  const name = /^[A-Za-z]/.test(plain) && !isReserved(plain) ? plain : `my_${plain}`;
  return NAME.test(name) && plain !== '' ? name : 'my_project';
}

/** Writes what is not there yet; what is there stays as it is. */
async function writeProject(
  folder: string,
  files: Readonly<Record<string, string>>,
): Promise<{ written: string[]; kept: string[] }> {
  // The folder is looked at before anything is written: a project is never mixed with another.
  for (const name of [PROJECT_FILE, 'datasets']) {
    if (!existsSync(join(folder, name))) continue;
    throw new RequestError(
      'project_exists',
      `${join(folder, name)} is there already: nothing was written`,
      'name a new folder: npx sluice init DIR',
    );
  }
  const kept = Object.keys(files).filter((path) => existsSync(join(folder, path)));
  const written = Object.keys(files).filter((path) => !kept.includes(path));
  try {
    for (const path of written) {
      await mkdir(dirname(join(folder, path)), { recursive: true });
      await writeFile(join(folder, path), files[path] ?? '', { flag: 'wx' });
    }
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new RequestError('cannot_write', `cannot write the project: ${why}`, 'name a folder that you may write to', {
      cause: error,
    });
  }
  return { written, kept };
}

function lines(folder: string, project: string, written: readonly string[], kept: readonly string[]): string[] {
  const there = relative('.', folder);
  return [
    `project ${project} in ${folder}:`,
    ...written.map((path) => `  ${path}`),
    ...kept.map((path) => `  ${path} was there already, and stays as it is`),
    '',
    'type next:',
    ...(there === '' ? [] : [`  cd ${shellWord(there.startsWith('..') ? folder : there)}`]),
    '  npx sluice dev --detach      # serves Temporal, PostgreSQL and a worker; end it with: npx sluice dev --stop',
    '  npx sluice backfill --wait',
  ];
}
