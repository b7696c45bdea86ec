import { Command } from 'commander';
import type { Interval } from '../../core/interval/interval.js';
import { adoptInterval } from '../../planning/adopt.js';
import { askedInterval, namedDataset, requireRange } from '../../planning/asked.js';
import type { PlanningDeps } from '../../planning/deps.js';
import { forgetInterval } from '../../planning/forget.js';
import type { Asker, LedgerChange } from '../../planning/ledger-change.js';
import { requireDeployed } from '../../planning/protected.js';
import type { Dataset } from '../../project/project.js';
import { clockOf } from '../../store/clock.js';
import { print, type Io } from '../io.js';
import { addCommon, addRange, addReason, rangeInput, type CommonOptions, type RangeOptions } from '../options.js';
import { plural } from '../render/format.js';
import { wrap } from '../render/text.js';
import { withProject } from '../session.js';
import { requestedBy } from './control.js';
import type { Verb } from '../verb.js';

type Options = CommonOptions & RangeOptions & { readonly reason?: string };
type Change = (deps: PlanningDeps, dataset: Dataset, asked: Interval, asker: Asker) => Promise<LedgerChange>;

/** `sluice adopt`: the rows that a table has become published partitions. */
export const adopt: Verb = {
  make: (io) =>
    verb('adopt', 'take a table’s existing data into the ledger, after checking it').action(
      (name: string, options: Options) =>
        change(io, name, options, { verb: 'adopt', done: 'adopted', none: 'nothing to adopt', act: adoptInterval }),
    ),
};

/** `sluice forget`: published partitions become rows that sluice knows nothing of. */
export const forget: Verb = {
  make: (io) =>
    verb('forget', 'take partitions out of the ledger; their data stays').action((name: string, options: Options) =>
      change(io, name, options, { verb: 'forget', done: 'forgot', none: 'nothing to forget', act: forgetInterval }),
    ),
};

function verb(name: string, description: string): Command {
  return addReason(addRange(addCommon(new Command(name).description(description).argument('<dataset>'))));
}

interface How {
  readonly verb: string;
  readonly done: string;
  readonly none: string;
  readonly act: Change;
}

async function change(io: Io, name: string, options: Options, how: How): Promise<void> {
  await withProject(io, options, async ({ opened }) => {
    const project = opened.project();
    const dataset = namedDataset(project, name);
    const range = rangeInput(options);
    requireRange(dataset, range, how.verb);
    const db = await opened.db();
    if (project.protected) await requireDeployed(db, project);
    const asked = askedInterval(project, dataset, range, await clockOf(db));
    const asker = { actor: requestedBy(io), ...(options.reason === undefined ? {} : { reason: options.reason }) };
    const document = await how.act({ project, db, pool: opened.pool }, dataset, asked, asker);
    const { partitions, rows, notes } = document;
    print(io, options.json, document, () => [
      partitions === 0
        ? `${how.none} of ${dataset.name} there`
        : `${how.done} ${plural(partitions, 'partition')} of ${dataset.name}, ${plural(rows, 'row')}`,
      ...notes.flatMap((note) => wrap(note, io.screen().width)),
    ]);
  });
}
