import { Command } from 'commander';
import { RequestError } from '../../contracts/errors.js';
import { namedDataset } from '../../planning/asked.js';
import { requireDeployed } from '../../planning/protected.js';
import { handOverDataset, handOverScope, type HandedOver } from '../../planning/rename.js';
import type { PlanningDeps } from '../../planning/deps.js';
import type { Asker } from '../../planning/ledger-change.js';
import { print } from '../io.js';
import { addCommon, addReason, type CommonOptions } from '../options.js';
import { plural } from '../render/format.js';
import { wrap } from '../render/text.js';
import { withProject } from '../session.js';
import type { Verb } from '../verb.js';
import { requestedBy } from './control.js';

type Options = CommonOptions & { readonly reason?: string; readonly fromProject?: string; readonly fromEnv?: string };

/** `sluice rename`: what was built under another name is this one's. */
export const rename: Verb = {
  make: (io) =>
    addReason(
      addCommon(
        new Command('rename')
          .description('hand tables and ledger of a dataset that is called otherwise now to its new name')
          .argument('[old]', 'name that the dataset had; no longer in the project')
          .argument('[new]', 'name that it has now'),
      ),
    )
      .option(
        '--from-project <name>',
        'all that a project of this name built in this environment, in place of a dataset',
      )
      .option('--from-env <name>', 'all that this project built in an environment of this name, in place of a dataset')
      .action(async (old: string | undefined, to: string | undefined, options: Options) => {
        await withProject(io, options, async ({ opened }) => {
          const project = opened.project();
          const db = await opened.db();
          if (project.protected) await requireDeployed(db, project);
          const asker = { actor: requestedBy(io), ...(options.reason === undefined ? {} : { reason: options.reason }) };
          const document = await handOver({ project, db, pool: opened.pool }, old, to, options, asker);
          const { from, to: name, partitions, tables, notes } = document;
          print(io, options.json, document, () => [
            `${from} is ${name} now: ${plural(tables.length, 'table')}, ${plural(partitions, 'partition')}`,
            ...notes.flatMap((note) => wrap(note, io.screen().width)),
          ]);
        });
      }),
};

async function handOver(
  deps: PlanningDeps,
  old: string | undefined,
  to: string | undefined,
  { fromProject, fromEnv }: Options,
  asker: Asker,
): Promise<HandedOver> {
  const { name, environment } = deps.project;
  const isScope = fromProject !== undefined || fromEnv !== undefined;
  if (isScope === (old !== undefined) || (old !== undefined && to === undefined)) {
    throw new RequestError(
      isScope ? 'option_conflict' : 'name_missing',
      isScope ? '--from-project and --from-env hand over everything: they take no datasets' : 'rename needs two names',
      'write: sluice rename OLD NEW, or sluice rename --from-project OLD',
    );
  }
  if (old !== undefined && to !== undefined) return handOverDataset(deps, old, namedDataset(deps.project, to), asker);
  return handOverScope(deps, { project: fromProject ?? name, environment: fromEnv ?? environment }, asker);
}
