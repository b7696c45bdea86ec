import type { Problem } from '../contracts/errors.js';
import type { DatasetFile } from './draft.js';
import { isReserved, NAME, NAME_RULE } from './names.js';

const DATASET_PATH = /^datasets\/(?:.*\/)?([^/]*)\.(?:yaml|yml|sql)$/s;

export function isDatasetPath(path: string): boolean {
  return DATASET_PATH.test(path);
}

/** The dataset files of a project, sorted by path, with the names that the file names give them; of two alike the first counts. */
export function datasetFiles(files: Readonly<Record<string, string>>): { files: DatasetFile[]; problems: Problem[] } {
  const found = new Map<string, DatasetFile>();
  const problems: Problem[] = [];
  for (const [file, text] of Object.entries(files).sort(([a], [b]) => (a < b ? -1 : 1))) {
    const name = DATASET_PATH.exec(file)?.[1];
    if (name === undefined) continue;
    const first = found.get(name);
    const problem = nameProblem(name, file, first?.file);
    if (problem) problems.push(problem);
    if (!first) found.set(name, { name, file, text });
  }
  if (found.size === 0) {
    problems.push({
      file: 'datasets',
      code: 'no_datasets',
      message: 'the project has no dataset',
      remedy: 'write one: datasets/<name>.yaml or datasets/<name>.sql',
    });
  }
  return { files: [...found.values()], problems };
}

function nameProblem(name: string, file: string, first: string | undefined): Problem | undefined {
  const shown = JSON.stringify(name);
  if (!NAME.test(name))
    return {
      file,
      code: 'bad_name',
      message: `${shown} is no dataset name`,
      remedy: `rename the file: a name is ${NAME_RULE}`,
    };
  if (isReserved(name))
    return {
      file,
      code: 'reserved_name',
      message: `the name ${name} is reserved`,
      remedy: 'rename the file: sluice… and pg_… and a few words are taken',
    };
  if (first === undefined) return undefined;
  return {
    file,
    code: 'duplicate_dataset',
    message: `a dataset ${name} exists already: ${first}`,
    remedy: 'rename one of the files: a name is the file name, without its folder',
  };
}
