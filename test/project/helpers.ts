import { join } from 'node:path';
import { ProjectError } from '../../src/contracts/errors.js';
import type { Problem } from '../../src/contracts/errors.js';
import { loadProject } from '../../src/project/load.js';
import type { LoadOptions } from '../../src/project/load.js';
import type { Dataset, Project, Statement } from '../../src/project/project.js';

export type Files = Record<string, string>;

export const FIXTURES = join(import.meta.dirname, '../fixtures/projects');

export const SLUICE_YAML = `project: p
timezone: UTC
connections:
  ops: { type: postgres, url: embedded:ops }
  wh: { type: postgres, url: embedded:wh }
warehouse: wh
schema: analytics
defaults: { grain: day, start: 2013-01-01 }
`;

export const RAW_YAML = `extract: { from: ops, table: public.flights, time: t }\n`;

/** A right project of two datasets, with `files` over it; undefined takes a file away. */
export function projectFiles(files: Record<string, string | undefined> = {}): Files {
  const all: Record<string, string | undefined> = {
    'sluice.yaml': SLUICE_YAML,
    'datasets/raw.yaml': RAW_YAML,
    'datasets/clean.sql': transform('SELECT t FROM raw WHERE t >= :start AND t < :end'),
    ...files,
  };
  return Object.fromEntries(Object.entries(all).filter((entry): entry is [string, string] => entry[1] !== undefined));
}

/** SQL with the settings of a daily transform: it begins on line 4. */
export function transform(sql: string, settings = 'time: t'): string {
  return `/*\n${settings}\n*/\n${sql}\n`;
}

export async function load(files: Files, options: Partial<LoadOptions> = {}): Promise<Project> {
  return loadProject(files, { environment: 'default', env: {}, ...options });
}

/** The problems of a project; none when it loads. Anything but a ProjectError is a bug and is thrown. */
export async function problemsOf(files: Files, options: Partial<LoadOptions> = {}): Promise<readonly Problem[]> {
  try {
    await load(files, options);
    return [];
  } catch (error) {
    if (error instanceof ProjectError) return error.problems;
    throw error;
  }
}

export async function loadDataset(files: Files, name: string, options: Partial<LoadOptions> = {}): Promise<Dataset> {
  const dataset = (await load(files, options)).datasets.get(name);
  if (!dataset) throw new Error(`no dataset ${name}`);
  return dataset;
}

/** The statement of a transform. */
export function statementOf({ body }: Dataset): Statement {
  if (body.kind !== 'transform') throw new Error('not a transform');
  return body.statement;
}
