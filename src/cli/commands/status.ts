import { Command } from 'commander';
import { RequestError, SystemError } from '../../contracts/errors.js';
import { ENDED, type BackfillStatus } from '../../contracts/status.js';
import { typedIn } from '../../contracts/typed.js';
import { listBackfills } from '../../store/backfills.js';
import { keptStatus } from '../../store/kept-status.js';
import { print, type Io } from '../io.js';
import { addCommon, addTimeout, type CommonOptions } from '../options.js';
import { listLines } from '../render/list.js';
import type { Screen } from '../render/text.js';
import { statusLines } from '../render/status.js';
import { asked, withProject, type Session } from '../session.js';
import { exitCodeOf, follow } from '../follow.js';
import type { Verb } from '../verb.js';
import { SILENT_MS, knownStatus } from '../wait.js';

/** How long each of a list may take to answer. */
const ANSWERED_MS = 5_000;

/** `sluice list`: the project's backfills, newest first. */
export const list: Verb = {
  make: (io) =>
    addCommon(new Command('list').description('backfills of the project, newest first')).action(
      async (options: CommonOptions) => {
        await withProject(io, options, async (session) => {
          const statuses = await allStatuses(session);
          print(io, options.json, statuses, () => listLines(statuses, wholeLines(io)));
        });
      },
    ),
};

/** Into a pipe nothing is cut. */
function wholeLines(io: Io): Screen {
  return io.isTerminal ? io.screen() : { ...io.screen(), width: Infinity };
}

/** `sluice status [ID]`: where one stands, by default the newest. */
export const status: Verb = {
  make: (io) =>
    addCommon(
      new Command('status').description('where a backfill stands; without an id, the newest').argument('[id]'),
    ).action(async (id: string | undefined, options: CommonOptions) => {
      await withProject(io, options, async (session) => {
        const document = await asked(async () => knownStatus(session, id ?? (await newest(session)), SILENT_MS));
        print(io, options.json, document, () => statusLines(document, io.screen()));
      });
    }),
};

/** `sluice watch [ID]`: live, until it ends or is held. */
export const watch: Verb = {
  make: (io, exit) =>
    addTimeout(
      addCommon(new Command('watch').description('follow a backfill until it ends or is held').argument('[id]')),
    ).action(async (id: string | undefined, options: CommonOptions & { timeout?: number }) => {
      await withProject(io, options, async (session) => {
        const last = await asked(async () =>
          follow(io, session, id ?? (await newest(session)), {
            json: options.json ? 'lines' : false,
            timeoutMs: options.timeout,
          }),
        );
        exit(typeof last === 'number' ? last : exitCodeOf(last));
      });
    }),
};

export async function newest(session: Session): Promise<string> {
  const { name: project, environment } = session.opened.project();
  const [row] = await listBackfills(await session.opened.db(), { project, environment }, 1);
  const [open] = row ? [] : await openOnes(session);
  if (open !== undefined) return open;
  if (!row)
    throw new RequestError('no_backfills', `project ${project} has no backfills yet`, 'start one: sluice backfill');
  return row.workflowId;
}

async function allStatuses(session: Session): Promise<BackfillStatus[]> {
  const { name: project, environment } = session.opened.project();
  const rows = await listBackfills(await session.opened.db(), { project, environment });
  const kept = new Set(rows.map(({ backfillId }) => backfillId));
  const unheard = (await openOnes(session)).filter((one) => !kept.has(one));
  const statuses = await Promise.all([
    ...unheard.map((id) => running(session, id)),
    ...rows.map(async (row) => row.status ?? (await running(session, row.workflowId))),
  ]);
  return statuses.filter((one) => one !== undefined);
}

/** Ids of those that Temporal has open, newest first; none where it cannot be asked: the rest of a list is worth showing. */
async function openOnes(session: Session): Promise<string[]> {
  try {
    return (await (await session.client()).open()).map(({ id }) => id);
  } catch {
    return [];
  }
}

/** One that Temporal does not know any more is left out of the list; with a server that is down nobody is asked. */
async function running(session: Session, workflowId: string): Promise<BackfillStatus | undefined> {
  try {
    return await asked(() => knownStatus(session, workflowId, ANSWERED_MS));
  } catch (error) {
    if (!(error instanceof SystemError)) return undefined;
    const next = typedIn(session.opened.project().environment, 'sluice doctor');
    return keptStatus(await session.opened.db(), workflowId, { for: error.message, next });
  }
}

export function hasEnded({ state }: BackfillStatus): boolean {
  return ENDED.includes(state);
}

export type { Io };
