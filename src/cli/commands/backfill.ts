import { Command } from 'commander';
import {
  addCommon,
  addOnly,
  addRange,
  addRequest,
  addSelect,
  addTimeout,
  backfillInput,
  type BoundOptions,
  type CommonOptions,
  type RangeOptions,
  type RequestOptions,
  type SelectOptions,
} from '../options.js';
import { requireConfirmed } from '../confirm.js';
import { print } from '../io.js';
import { sluice } from '../render/command.js';
import { plural } from '../render/format.js';
import { statusLines } from '../render/status.js';
import { asked, withProject } from '../session.js';
import { exitCodeOf, follow } from '../follow.js';
import { prepare, recordNothing } from '../start.js';
import { untilPlanned } from '../wait.js';
import { requestedBy } from './control.js';
import type { Verb } from '../verb.js';

export type BackfillOptions = CommonOptions &
  RangeOptions &
  BoundOptions &
  SelectOptions &
  RequestOptions & {
    readonly id?: string;
    readonly wait: boolean;
    readonly timeout?: number;
    readonly local?: boolean;
    readonly deployed?: boolean;
    readonly yes: boolean;
  };

/** `sluice backfill`: plans, starts, and with `--wait` follows it to its end. */
export const backfill: Verb = {
  make: (io, exit) =>
    addCommon(
      addTimeout(
        addRequest(
          addOnly(
            addRange(addSelect(new Command('backfill').description('build what is missing, in dependency order'))),
          ),
        ),
      ),
    )
      .option('--id <id>', 'name of the backfill, never used twice (default: its time)')
      .option('--wait', 'show live progress until it ends or is held', false)
      .option('--local', 'carry out this folder’s definitions, whatever the workers deploy')
      .option('--deployed', 'carry out what the workers deploy, whatever this folder says')
      .option('--yes', 'start it without a question, however much it builds', false)
      .action(async (select: string[], options: BackfillOptions, command: Command) => {
        await withProject(io, options, async (session) => {
          const input = {
            ...backfillInput(session.opened.project().name, select, options),
            requestedBy: requestedBy(io),
          };
          // Loads while the databases answer: it is what a start waits for longest.
          void import('../../client/index.js');
          const prepared = await prepare(io, session, input, options);
          if (prepared.partitions === 0) {
            const document = await recordNothing(io, session, prepared);
            print(io, options.json, document, () => [...statusLines(document, io.screen()), ...prepared.hints]);
            return;
          }
          const { confirm } = session.opened.project();
          await requireConfirmed(io, prepared, { ...options, partitions: confirm, command });
          const client = await session.client();
          const { project: _project, environment: _environment, ...request } = prepared.input;
          // From here on Ctrl-C lets go of what runs, and must say so.
          if (options.wait) io.interruptible();
          const { id } = await asked(() => client.start(request, { id: prepared.id }));
          const planned = await asked(() => untilPlanned(io, session, id));
          if (!options.wait) {
            print(io, options.json, planned, () => [
              `backfill ${id} runs: ${plural(prepared.partitions, 'partition')} of ${plural(prepared.datasets, 'dataset')}`,
              `look at it: ${sluice(['watch', id], session.opened.project().environment)}`,
            ]);
            return;
          }
          const last = await asked(() =>
            follow(io, session, id, { json: options.json ? 'last' : false, timeoutMs: options.timeout }),
          );
          exit(typeof last === 'number' ? last : exitCodeOf(last));
        });
      }),
};
