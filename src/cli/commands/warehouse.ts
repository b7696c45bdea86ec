import { Command } from 'commander';
import { RequestError } from '../../contracts/errors.js';
import { SLOTS_MOST } from '../../contracts/warehouse.js';
import { limitHistory } from '../../store/standing.js';
import { placeOrder } from '../../store/orders.js';
import { print, type Io } from '../io.js';
import { addCommon, addReason, parseTimeout, type CommonOptions } from '../options.js';
import { historyLines, warehouseLines } from '../render/warehouse.js';
import { withProject } from '../session.js';
import type { Verb } from '../verb.js';
import { databaseOf, namedConnection, standings } from '../warehouse.js';
import { requestedBy } from './control.js';

type Told = CommonOptions & { readonly reason?: string };

/** `sluice warehouse`: what stands on each database and why; `hold`, `release`, `limit` and `history` under it. */
export const warehouse: Verb = {
  make: (io) =>
    addCommon(
      new Command('warehouse')
        .description('how much may run on each database, and why; hold, release, limit N, history')
        .argument('[connection]', 'only this one')
        .enablePositionalOptions()
        .hook('preSubcommand', handDown),
    )
      .action(async (name: string | undefined, options: CommonOptions) => {
        await withProject(io, options, async ({ opened }) => {
          const project = opened.project();
          const chosen = name === undefined ? [...project.connections.values()] : [namedConnection(project, name)];
          const found = await standings(opened, chosen, io.now());
          print(io, options.json, found, () => warehouseLines(found, io.screen()));
        });
      })
      .addCommand(
        order('hold', 'no batch begins there, until release').action(async (name: string | undefined, options: Told) =>
          tell(io, name, 0, options),
        ),
      )
      .addCommand(
        order('release', 'take hold and limit back').action(async (name: string | undefined, options: Told) =>
          tell(io, name, null, options),
        ),
      )
      .addCommand(
        addReason(addCommon(new Command('limit').description('at most N batches at work at once, until release')))
          .argument('<n>')
          .argument('[connection]', 'default: the warehouse')
          .action(async (n: string, name: string | undefined, options: Told) => tell(io, name, wholeSlots(n), options)),
      )
      .addCommand(history(io)),
};

/** `sluice warehouse -p DIR hold`: what is said before the verb's own verb holds for it too. */
function handDown(parent: Command, verb: Command): void {
  for (const [name, value] of Object.entries(parent.opts())) {
    if (parent.getOptionValueSource(name) !== 'default') verb.setOptionValueWithSource(name, value, 'cli');
  }
}

function order(name: string, description: string): Command {
  return addReason(addCommon(new Command(name).description(description))).argument(
    '[connection]',
    'default: the warehouse',
  );
}

/** Puts a person's word into force, and shows what stands then. */
async function tell(io: Io, name: string | undefined, slots: number | null, options: Told): Promise<void> {
  await withProject(io, options, async ({ opened }) => {
    const project = opened.project();
    const connection = namedConnection(project, name);
    const database = await databaseOf(opened, connection.name);
    const scope = { project: project.name, environment: project.environment };
    const { reason } = options;
    await placeOrder(
      await opened.db(),
      scope,
      { connection: connection.name, database },
      { slots, actor: requestedBy(io), reason },
    );
    const found = await standings(opened, [connection], io.now());
    print(io, options.json, found, () => warehouseLines(found, io.screen()));
  });
}

function history(io: Io): Command {
  return addCommon(
    new Command('history')
      .description('what the limit was, and why')
      .argument('[connection]', 'default: the warehouse')
      .option('--last <duration>', 'how far back (default 1h)', '1h'),
  ).action(async (name: string | undefined, options: CommonOptions & { last: string }) => {
    await withProject(io, options, async ({ opened }) => {
      const lastMs = lastOf(options.last);
      const connection = namedConnection(opened.project(), name);
      const rows = await limitHistory(await opened.db(), await databaseOf(opened, connection.name), lastMs);
      print(io, options.json, rows, () => historyLines(rows, io.screen()));
    });
  });
}

function lastOf(text: string): number {
  try {
    return parseTimeout(text);
  } catch {
    throw new RequestError(
      'bad_duration',
      `--last ${JSON.stringify(text)} is no time that has passed`,
      'Write it as 30m, 1h or 2d; what is older than 30 days is not kept.',
    );
  }
}

function wholeSlots(text: string): number {
  const slots = /^\d{1,6}$/.test(text) ? Number(text) : NaN;
  if (slots >= 0 && slots <= SLOTS_MOST) return slots;
  throw new RequestError(
    'bad_option',
    `limit ${JSON.stringify(text)} is not possible`,
    `Write a whole number from 0 (which holds) to ${SLOTS_MOST}.`,
  );
}
