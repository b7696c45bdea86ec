import { userInfo } from 'node:os';
import { Command } from 'commander';
import { RequestError } from '../../contracts/errors.js';
import type { MessageInput } from '../../contracts/messages.js';
import type { BackfillStatus } from '../../contracts/status.js';
import type { BackfillClient } from '../../client/index.js';
import { exitCodeOf } from '../follow.js';
import { print, type Io } from '../io.js';
import {
  addCommon,
  addRange,
  addReason,
  adjustInput,
  rangeInput,
  type CommonOptions,
  type RangeOptions,
} from '../options.js';
import { sluice } from '../render/command.js';
import { statusLines } from '../render/status.js';
import { asked, withProject, type Session } from '../session.js';
import type { Verb } from '../verb.js';
import { answerOf, cancelling, sayingSilence } from '../wait.js';

type Control = CommonOptions & { readonly reason?: string };

/** Who asks, for the journal: the person that is logged in. */
export function requestedBy(io: Io): string {
  const named = io.env['SLUICE_USER'] ?? io.env['USER'];
  if (named !== undefined) return named;
  try {
    return userInfo().username;
  } catch {
    // A container's user may have no name.
    return `uid ${process.getuid?.() ?? 'unknown'}`;
  }
}

function said(io: Io, { reason }: Control): MessageInput<'pause'> {
  return { requestedBy: requestedBy(io), ...(reason === undefined ? {} : { reason }) };
}

/** Sends one message to a backfill and shows where it stands then. */
async function send(
  io: Io,
  id: string,
  options: Control,
  act: (client: BackfillClient, id: string, session: Session) => Promise<BackfillStatus>,
): Promise<BackfillStatus> {
  return withProject(io, options, async (session) => {
    const connected = await session.client();
    const document = await asked(() => sayingSilence(io, session, act(connected, id, session)));
    print(io, options.json, document, () => statusLines(document, io.screen()));
    return document;
  });
}

/** Looks made after a retry that plans anew, each 200 ms after the one before. */
const LOOKS_MAX = 50;

/** Where it stands once it has planned anew, or still plans after ten seconds: how it was before the retry helps nobody. */
async function afterPlanning(session: Session, id: string, answer: BackfillStatus): Promise<BackfillStatus> {
  let seen = answer;
  for (let look = 0; look < LOOKS_MAX && (seen.state === 'planning' || seen.state === 'held'); look++) {
    await new Promise((done) => setTimeout(done, 200));
    seen = (await answerOf(session, id)) ?? seen;
    // Held again: its new plan was refused, or what was left failed at once.
    if (seen.state === 'held' && seen.waiting?.since !== answer.waiting?.since) break;
  }
  return seen;
}

const verb = (name: string, description: string): Command =>
  addReason(addCommon(new Command(name).description(description).argument('<id>')));

export const pause: Verb = {
  make: (io) =>
    verb('pause', 'begin nothing new; work stops between two batches').action(async (id: string, options: Control) => {
      await send(io, id, options, (client, one) => client.pause(one, said(io, options)));
    }),
};

export const resume: Verb = {
  make: (io) =>
    verb('resume', 'go on after a pause').action(async (id: string, options: Control) => {
      await send(io, id, options, (client, one) => client.resume(one, said(io, options)));
    }),
};

export const cancel: Verb = {
  make: (io, exit) =>
    verb('cancel', 'end it; what was published stays').action(async (id: string, options: Control) => {
      const cancelled = await send(io, id, options, (client, one, session) =>
        cancelling(io, session, one, client.cancel(one, said(io, options))),
      );
      exit(exitCodeOf(cancelled) === 4 ? 0 : 1);
    }),
};

export const retry: Verb = {
  make: (io) =>
    verb('retry', 'try again what failed, while it is held')
      .argument('[dataset]', 'only this one, and what reads it')
      .option(
        '--with-current',
        'the project was changed: plan what is not done anew, under the current definitions',
        false,
      )
      .option('--upstream', 'the source was mended: read again what the failed partitions read, up the graph', false)
      .action(async (id: string, dataset: string | undefined, options: Retry) => {
        const message = {
          ...said(io, options),
          withCurrent: options.withCurrent,
          upstream: options.upstream,
          ...(dataset === undefined ? {} : { dataset }),
        };
        await send(io, id, options, async (client, one, session) => {
          const answer = await client.retry(one, message);
          return message.withCurrent || message.upstream ? afterPlanning(session, one, answer) : answer;
        });
      }),
};

export const skip: Verb = {
  make: (io) =>
    addRange(verb('skip', 'leave partitions as they are, and their readers too').argument('<dataset>'))
      .option('--failed', 'only what failed, in the range or anywhere', false)
      .option('--all', 'all that is left of the dataset', false)
      .action(async (id: string, dataset: string, options: Skip) => {
        const { failed, all } = options;
        const { from, to, on, last } = rangeInput(options);
        if (last !== undefined || (all && [from, to, on].some((one) => one !== undefined)))
          throw new RequestError(
            'option_conflict',
            `skip takes ${last === undefined ? 'all of a dataset, or a range of it' : 'no --last'}`,
            'Give --from and --to (exclusive), or --on, or --failed, or --all.',
          );
        const range = {
          ...(from === undefined ? {} : { from }),
          ...(to === undefined ? {} : { to }),
          ...(on === undefined ? {} : { on }),
        };
        await send(io, id, options, (client, one) =>
          client.skip(one, { ...said(io, options), dataset, ...range, failed, all }),
        ).catch((error: unknown) => {
          throw error instanceof RequestError && / needs a range/.test(error.message)
            ? new RequestError('range_missing', error.message, waysToSkip(options, id, dataset), { cause: error })
            : error;
        });
      }),
};

type Retry = Control & { readonly withCurrent: boolean; readonly upstream: boolean };

type Skip = Control & RangeOptions & { readonly failed: boolean; readonly all: boolean };

function waysToSkip({ env }: Skip, id: string, dataset: string): string {
  const typed = (...more: string[]): string => sluice(['skip', id, dataset, ...more], env);
  return [
    `what failed:       ${typed('--failed')}`,
    `a partition:       ${typed('--on', '2013-03-10')}`,
    `all that is left:  ${typed('--all')}`,
  ].join('\n');
}

export const adjust: Verb = {
  make: (io) =>
    verb('adjust', 'another priority or number of batches at work at once')
      .option('--priority <1..5>', '1 is first')
      .option('--max-parallel <n>', 'batches at work at once in this backfill')
      .action(async (id: string, options: Control & { priority?: string; maxParallel?: string }) => {
        const wanted = adjustInput(options);
        if (Object.keys(wanted).length === 0)
          throw new RequestError(
            'nothing_to_adjust',
            'adjust has nothing to change',
            `give --priority or --max-parallel: ${sluice(['adjust', id, '--max-parallel', '4'])}`,
          );
        await send(io, id, options, (client, one) => client.adjust(one, { ...said(io, options), ...wanted }));
      }),
};
