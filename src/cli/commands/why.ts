import { Command } from 'commander';
import type { BackfillStatus } from '../../contracts/status.js';
import { typedIn } from '../../contracts/typed.js';
import type { Interval } from '../../core/interval/interval.js';
import { askedPartition, namedDataset } from '../../planning/asked.js';
import { foreignText } from '../../planning/foreign.js';
import { rangeWords } from '../../planning/ledger-change.js';
import { followViews } from '../../planning/reads.js';
import { howJoined } from '../../planning/coalescing.js';
import { gatherFacts } from '../../planning/why-facts.js';
import type { Cause } from '../../planning/why-types.js';
import { explain } from '../../planning/why.js';
import { print } from '../io.js';
import type { Dataset, Project } from '../../project/project.js';
import { addCommon, type CommonOptions } from '../options.js';
import { coalesceLines, whyLines } from '../render/why.js';
import { zoneLine } from '../render/times.js';
import { withProject, type Session } from '../session.js';
import type { Verb } from '../verb.js';
import { answerOf } from '../wait.js';

/** How long a backfill may take to say how it stands; without it the ledger alone is explained. */
const STATUS_MS = 5_000;

/** `sluice why`: the chain of causes of a partition's state. */
export const why: Verb = {
  make: (io) =>
    addCommon(
      new Command('why')
        .description('why a partition is there, missing or stale')
        .argument('<dataset>')
        .argument('[time]', 'any time in the partition'),
    ).action(async (name: string, time: string | undefined, options: CommonOptions) => {
      await withProject(io, options, async (session) => {
        const project = await followViews({ project: session.opened.project(), pool: session.opened.pool });
        const dataset = namedDataset(project, name);
        const partition = askedPartition(project, dataset, time, 'why');
        const deps = {
          project,
          db: await session.opened.db(),
          pool: session.opened.pool,
          statusOf: (id: string) => statusOf(session, id),
        };
        const explained = explain(await gatherFacts(deps, dataset.name, partition), dataset.name, partition);
        const cause = await withForeign(session, project, dataset, partition, explained);
        const coalesce = howJoined(dataset);
        print(io, options.json, { ...cause, ...(coalesce === null ? {} : { coalesce }) }, () => [
          ...whyLines(cause, io.screen()),
          ...(coalesce === null ? [] : coalesceLines(coalesce, io.screen())),
          '',
          zoneLine(io.screen()),
        ]);
      });
    }),
};

/** Rows that nobody knows of are in the way of the backfill that is missing here: then that is no help, and taking them in is. */
async function withForeign(
  { opened }: Session,
  project: Project,
  dataset: Dataset,
  partition: Interval,
  cause: Cause,
): Promise<Cause> {
  if (cause.state !== 'missing' || cause.next === undefined) return cause;
  const text = await opened.pool(project.warehouse).use((client) => foreignText(client, project, dataset, partition));
  if (text === undefined) return cause;
  const next = typedIn(project.environment, `sluice adopt ${dataset.name}${rangeWords(partition)}`);
  return { ...cause, cause: `${cause.cause} But ${text}.`, next };
}

/** An ended backfill answers from the warehouse, a running one through Temporal; neither must keep the answer waiting. */
async function statusOf(session: Session, workflowId: string): Promise<BackfillStatus | undefined> {
  return answerOf(session, workflowId, STATUS_MS).catch(() => undefined);
}
