import { RequestError, type Problem } from '../contracts/errors.js';
import type { PlanWarning } from '../contracts/status.js';
import { systemError } from '../postgres/error.js';
import type { PgClient } from '../postgres/pool.js';
import type { Dataset } from '../project/project.js';
import type { PlanningDeps } from './deps.js';
import { describeOne } from './describe.js';
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
  const { pool } = asked;
  const followed = await followViews(asked).catch((error: unknown) => {
    if (error instanceof RequestError) return error;
    throw error;
  });
  // A circle through a view has no order in which its datasets could be checked.
  if (followed instanceof RequestError)
    return { problems: [problemOf(followed.message.split(':')[0] ?? '', followed)], notChecked: [], warnings: [] };
  const deps = { ...asked, project: followed };
  const { project } = deps;
  const check = { problems: [] as Problem[], notChecked: [] as NotChecked[], warnings: [] as PlanWarning[] };
  const work = async (client: PgClient): Promise<void> => {
    const scratch = openScratch(client);
    await client.query('BEGIN');
    try {
      await client.query(`SET LOCAL lock_timeout = '5s'`);
      const bad = new Map<string, string>();
      for (const dataset of project.datasets.values()) {
        const because = dataset.needs.map((need) => bad.get(need.dataset)).find((root) => root !== undefined);
        if (because !== undefined) {
          check.notChecked.push({ dataset: dataset.name, because });
          bad.set(dataset.name, because);
          continue;
        }
        const outcome = await checkDataset(deps, scratch, dataset);
        if (!('problem' in outcome)) check.warnings.push(...outcome.warnings);
        else {
          check.problems.push(outcome.problem);
          bad.set(dataset.name, dataset.name);
        }
      }
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

type Outcome = { readonly warnings: readonly PlanWarning[] } | { readonly problem: Problem };

/** Under a savepoint: a statement that PostgreSQL refuses must not end the transaction for those after it. */
async function checkDataset(deps: PlanningDeps, scratch: Scratch, dataset: Dataset): Promise<Outcome> {
  const { client } = scratch;
  await client.query('SAVEPOINT sluice_check');
  try {
    const { warnings } = await describeOne(deps, scratch, dataset, {
      overwrite: false,
      windows: new Map(),
      reads: new Map(),
      intervals: new Map(),
      shapes: new Map(),
    });
    return { warnings };
  } catch (error) {
    if (!(error instanceof RequestError)) throw error;
    await client.query('ROLLBACK TO SAVEPOINT sluice_check');
    scratch.zone = null;
    return { problem: problemOf(dataset.file, error) };
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
