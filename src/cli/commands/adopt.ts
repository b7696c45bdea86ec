import { Command } from 'commander';
import { RequestError } from '../../contracts/errors.js';
import { TakenCause, type LedgerChange } from '../../contracts/ledger.js';
import type { TableName } from '../../contracts/table.js';
import { typedIn } from '../../contracts/typed.js';
import { adoptInterval } from '../../planning/adopt.js';
import { adoptStale, requireReason } from '../../planning/adopt-stale.js';
import { askedInterval, namedDataset, requireRange } from '../../planning/asked.js';
import type { PlanningDeps } from '../../planning/deps.js';
import { forgetInterval } from '../../planning/forget.js';
import { giveUpScope, giveUpTables, requireGone } from '../../planning/give-up.js';
import type { Asker } from '../../planning/ledger-change.js';
import { requireDeployed } from '../../planning/protected.js';
import { parseTableName } from '../../project/names.js';
import type { Project } from '../../project/project.js';
import { clockOf } from '../../store/clock.js';
import { print, type Io } from '../io.js';
import { addCommon, addRange, addReason, rangeInput, type CommonOptions, type RangeOptions } from '../options.js';
import { plural } from '../render/format.js';
import { wrap } from '../render/text.js';
import { withProject } from '../session.js';
import { requestedBy } from './control.js';
import type { Verb } from '../verb.js';

type Options = CommonOptions &
  RangeOptions & {
    readonly reason?: string;
    readonly all?: boolean;
    readonly table?: string;
    readonly stale?: boolean;
    readonly everything?: string;
  };
type Change = (deps: PlanningDeps, asker: Asker) => Promise<LedgerChange>;
/** Refuses all that can be refused without a database. */
type Prepare = (project: Project) => Change;

/** `sluice adopt`: the rows that a table has become published partitions; `--stale`: partitions that are stale count as built today. */
export const adopt: Verb = {
  make: (io) =>
    verb('adopt', 'take a table’s existing data into the ledger, after checking it', '<dataset>')
      .option('--stale', 'what is published there and stale counts as built by today’s definition; needs --reason')
      .action((name: string, options: Options) =>
        change(io, name, options, options.stale === true ? TAKEN : ADOPTED, (project) => {
          const dataset = namedDataset(project, name);
          const range = rangeInput(options);
          requireRange(dataset, range, 'adopt');
          if (options.stale === true) requireReason(name, options.reason);
          return async (deps, asker) => {
            const asked = askedInterval(project, dataset, range, await clockOf(deps.db));
            return (options.stale === true ? adoptStale : adoptInterval)(deps, dataset, asked, asker);
          };
        }),
      ),
};

const ADOPTED: How = { done: 'adopted', none: 'nothing to adopt' };
const TAKEN: How = { done: 'took as built by today’s definition', none: 'nothing stale' };

const CAUSES: Readonly<Record<TakenCause, string>> = {
  definition: 'another definition',
  columns: 'new columns of the source',
  inputs: 'changed inputs',
  moved: 'rows that moved away',
  unseen: 'inputs never read',
};

/** `sluice forget`: published partitions become rows that sluice knows nothing of; a table becomes nobody's. */
export const forget: Verb = {
  make: (io) =>
    verb('forget', 'take partitions out of the ledger, or give a table up; the data stays', '[dataset]')
      .option('--all', 'all that the ledger has of it, and its tables')
      .option('--table <name>', 'one of its tables, such as the one that it had before')
      .option('--everything <environment>', 'all datasets of this environment, which is typed to be sure')
      .action((name: string | undefined, options: Options) =>
        change(io, name ?? `environment ${options.env}`, options, FORGOT, (project) =>
          name === undefined || options.everything !== undefined
            ? forgettingAll(project, name, options)
            : forgetting(project, name, options),
        ),
      ),
};

const FORGOT: How = { done: 'forgot', none: 'nothing to forget' };

function forgettingAll({ environment }: Project, name: string | undefined, options: Options): Change {
  const typed = typedIn(environment, `sluice forget --everything ${environment}`);
  if (options.everything === undefined)
    throw new RequestError('dataset_missing', 'forget needs a dataset', `name one; all of this environment: ${typed}`);
  const isMore = name !== undefined || options.all === true || options.table !== undefined;
  if (isMore || Object.keys(rangeInput(options)).length > 0)
    throw new RequestError('option_conflict', '--everything goes with no dataset and no range', `type ${typed}`);
  if (options.everything !== environment)
    throw new RequestError(
      'option_conflict',
      `--everything ${options.everything} is not the environment here, which is ${environment}`,
      `type ${typed}, or name the other one with -e`,
    );
  return giveUpScope;
}

function forgetting(project: Project, name: string, options: Options): Change {
  const range = rangeInput(options);
  const isRange = Object.keys(range).length > 0;
  const asked = [isRange, options.all === true, options.table !== undefined];
  if (asked.filter(Boolean).length > 1) {
    throw new RequestError(
      'option_conflict',
      'a range, --all and --table cannot be used together',
      `give one of them: sluice forget ${name} --all`,
    );
  }
  const table = options.table === undefined ? undefined : tableNamed(options.table, project.schema);
  const isWhole = table !== undefined || options.all === true;
  const dataset = project.datasets.get(name);
  if (dataset && !isWhole) requireRange(dataset, range, 'forget');
  return async (deps, asker) => {
    if (dataset === undefined) await requireGone(deps, name);
    if (isWhole || (dataset === undefined && !isRange)) return giveUpTables(deps, name, table, asker);
    // One that is gone has no partitions to round to.
    const interval = askedInterval(project, dataset ?? {}, range, await clockOf(deps.db));
    return forgetInterval(deps, name, interval, asker);
  };
}

function tableNamed(text: string, schema: string): TableName {
  const table = parseTableName(text, schema);
  if (table) return table;
  throw new RequestError(
    'bad_option',
    `--table ${JSON.stringify(text)} is no name of a table`,
    'Write it as schema.name.',
  );
}

function verb(name: string, description: string, argument: string): Command {
  return addReason(addRange(addCommon(new Command(name).description(description).argument(argument))));
}

interface How {
  readonly done: string;
  readonly none: string;
}

async function change(io: Io, name: string, options: Options, how: How, prepare: Prepare): Promise<void> {
  await withProject(io, options, async ({ opened }) => {
    const project = opened.project();
    const act = prepare(project);
    const db = await opened.db();
    if (project.protected) await requireDeployed(db, project);
    const asker = { actor: requestedBy(io), ...(options.reason === undefined ? {} : { reason: options.reason }) };
    const document = await act({ project, db, pool: opened.pool }, asker);
    const { partitions, rows, causes = {}, notes } = document;
    const why = TakenCause.options.flatMap((cause) => {
      const count = causes[cause];
      return count === undefined ? [] : [`${plural(count, 'partition')} by ${CAUSES[cause]}`];
    });
    print(io, options.json, document, () => [
      partitions === 0
        ? `${how.none} of ${name} there`
        : `${how.done} ${plural(partitions, 'partition')} of ${name}, ${plural(rows, 'row')}`,
      ...(why.length === 0 ? [] : [`stale until now: ${why.join(', ')}`]),
      ...notes.flatMap((note) => wrap(note, io.screen().width)),
    ]);
  });
}
