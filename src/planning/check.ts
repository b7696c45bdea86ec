import { ProjectError, RequestError, SluiceError, SystemError, type Problem } from '../contracts/errors.js';
import type { PlanWarning } from '../contracts/status.js';
import { isUnanswered } from '../core/fault.js';
import { systemError } from '../postgres/error.js';
import type { PgClient } from '../postgres/pool.js';
import type { Dataset } from '../project/project.js';
import type { PlanningDeps } from './deps.js';
import { describeOne, type DescribeOptions } from './describe.js';
import { followViews } from './reads.js';
import { openScratch, type Scratch } from './scratch.js';

/** A dataset that could not be checked, and the one with a problem that is in its way. */
export interface NotChecked {
  readonly dataset: string;
  readonly because: string;
}

/** What the databases say of a project. */
export interface Checked {
  readonly problems: readonly Problem[];
  readonly notChecked: readonly NotChecked[];
  readonly warnings: readonly PlanWarning[];
}

/**
 * Prepares every statement of the project, as planning all of it would, but tells every dataset's first problem instead of
 * stopping at the first. What reads a dataset with a problem is not checked: its tables may be missing for that reason.
 * Changes nothing.
 * @throws SystemError when a database cannot be reached
 */
export async function checkProject(asked: PlanningDeps): Promise<Checked> {
  const followed = await followViews(asked).catch((error: unknown) => {
    if (error instanceof RequestError) return error;
    throw error;
  });
  // A circle through a view has no order in which its datasets could be checked.
  if (followed instanceof RequestError)
    return { problems: [problemOf(followed.message.split(':')[0] ?? '', followed)], notChecked: [], warnings: [] };
  return checkDatasets({ ...asked, project: followed }, [...followed.datasets.values()], NOTHING_BUILT);
}

const NOTHING_BUILT: DescribeOptions = {
  overwrite: false,
  windows: new Map(),
  reads: new Map(),
  intervals: new Map(),
  shapes: new Map(),
};

/** As {@link checkProject}, of some datasets in their order. */
async function checkDatasets(
  deps: PlanningDeps,
  datasets: readonly Dataset[],
  options: DescribeOptions,
): Promise<Checked> {
  const { project, pool } = deps;
  const check = { problems: [] as Problem[], notChecked: [] as NotChecked[], warnings: [] as PlanWarning[] };
  const work = async (client: PgClient): Promise<void> => {
    const scratch = openScratch(client);
    await client.query('BEGIN');
    try {
      await client.query(`SET LOCAL lock_timeout = '5s'`);
      const bad = new Map<string, string>();
      const silent = new Map<string, SystemError>();
      for (const dataset of datasets) {
        const because =
          dataset.needs.map((need) => bad.get(need.dataset)).find((root) => root !== undefined) ??
          [sourceOf(dataset)].find((source) => silent.has(source));
        if (because !== undefined) {
          check.notChecked.push({ dataset: dataset.name, because });
          bad.set(dataset.name, because);
          continue;
        }
        const outcome = await checkDataset(deps, scratch, dataset, options);
        if (!('problem' in outcome)) check.warnings.push(...outcome.warnings);
        else {
          check.problems.push(outcome.problem);
          bad.set(dataset.name, dataset.name);
          if (outcome.silent !== null) silent.set(sourceOf(dataset), outcome.silent);
        }
      }
      // Nothing is wrong with a project whose source is down, as far as can be seen.
      const [down] = silent.values();
      if (down !== undefined && check.problems.length === silent.size) throw down;
    } finally {
      await client.query('ROLLBACK');
    }
  };
  await pool(project.warehouse)
    .use(work)
    .catch((error: unknown) => {
      throw systemError(error, project.warehouse);
    });
  return check;
}

/**
 * All that is wrong with these datasets, for a plan that was refused for the first of it.
 * @returns that first refusal where it is the only one
 */
export async function allProblems(
  deps: PlanningDeps,
  datasets: readonly Dataset[],
  options: DescribeOptions,
  first: unknown,
): Promise<unknown> {
  const isSilence = first instanceof SystemError && isUnanswered(first);
  if (!isSilence && !(first instanceof RequestError)) return first;
  const { problems } = await checkDatasets(deps, datasets, options);
  return problems.length > (isSilence ? 0 : 1) ? new ProjectError(problems) : first;
}

function sourceOf({ body }: Dataset): string {
  return body.kind === 'extract' ? `connection ${body.from}` : '';
}

/** `silent`: its source does not answer, and need not be asked again. */
type Outcome =
  { readonly warnings: readonly PlanWarning[] } | { readonly problem: Problem; readonly silent: SystemError | null };

/** Under a savepoint: a statement that PostgreSQL refuses must not end the transaction for those after it. */
async function checkDataset(
  deps: PlanningDeps,
  scratch: Scratch,
  dataset: Dataset,
  options: DescribeOptions,
): Promise<Outcome> {
  const { client } = scratch;
  await client.query('SAVEPOINT sluice_check');
  try {
    const { warnings } = await describeOne(deps, scratch, dataset, options);
    return { warnings };
  } catch (error) {
    // What the warehouse broke off comes as it is; of a source, which is another matter, it is the system's.
    const silent = error instanceof SystemError && dataset.body.kind === 'extract' ? error : null;
    const refusal = silent ?? error;
    if (!(refusal instanceof SluiceError)) throw error;
    if (silent === null && !(refusal instanceof RequestError)) throw error;
    await client.query('ROLLBACK TO SAVEPOINT sluice_check');
    scratch.zone = null;
    return { problem: problemOf(dataset.file, refusal), silent };
  }
}

/** A refusal of planning as a problem: `file:12: message` is taken apart. */
export function problemOf(
  file: string,
  { code, message, remedy }: Pick<RequestError, 'code' | 'message' | 'remedy'>,
): Problem {
  const rest = message.startsWith(file) ? message.slice(file.length) : `: ${message}`;
  const [head, line] = /^(?::(\d+))?: /.exec(rest) ?? [''];
  return {
    file,
    ...(line === undefined ? {} : { line: Number(line) }),
    code,
    message: rest.slice(head.length),
    ...(remedy === undefined ? {} : { remedy }),
  };
}
