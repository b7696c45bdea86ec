import { Command } from 'commander';
import { SluiceError } from '../../contracts/errors.js';
import { fail, ok, type Check } from '../doctor/check.js';
import { print, type Io } from '../io.js';
import { addCommon, type CommonOptions } from '../options.js';
import { doctorLines } from '../render/doctor.js';
import { withProject } from '../session.js';
import type { Verb } from '../verb.js';

/** `sluice doctor`: every part that a backfill will need, and what to mend; changes nothing. */
export const doctor: Verb = {
  make: (io, exit) =>
    addCommon(
      new Command('doctor').description('check project, databases, Temporal and workers; says what to mend'),
    ).action(async (options: CommonOptions) => {
      const checks = await examine(io, options);
      const sound = checks.every(({ state }) => state !== 'fail');
      print(io, options.json, { ok: sound, checks }, () => doctorLines(checks, io.screen()));
      if (!sound) exit(1);
    }),
};

/** The checks, in the order in which things have to be mended. What cannot be looked at until then is left out. */
async function examine(io: Io, options: CommonOptions): Promise<Check[]> {
  try {
    return await withProject(io, options, async ({ opened }) => {
      const { checkConnection } = await import('../doctor/database.js');
      const { checkStore } = await import('../doctor/store.js');
      const { checkTemporal } = await import('../doctor/temporal.js');
      const project = opened.project();
      const databases = (
        await Promise.all([...project.connections.values()].map((connection) => checkConnection(opened, connection)))
      ).flat();
      const reached = !databases.some(
        ({ name, state }) => name === `connection ${project.warehouse}` && state === 'fail',
      );
      const temporal = await asChecks('temporal', async () =>
        checkTemporal(opened.temporal(), project, io.now, async (isOpen) =>
          reached ? asChecks('schema sluice', () => checkStore(opened, isOpen)) : [],
        ),
      );
      return [
        ok('project', `${project.name}: ${project.datasets.size} datasets, definition ${project.hash}`),
        ...databases,
        ...temporal,
      ];
    });
  } catch (error) {
    if (error instanceof SluiceError) return [refused('project', error)];
    throw error;
  }
}

/** What a part refuses is a finding about it, and no reason not to look at the others. */
async function asChecks(name: string, look: () => Promise<Check[]>): Promise<Check[]> {
  try {
    return await look();
  } catch (error) {
    if (error instanceof SluiceError) return [refused(name, error)];
    return [
      fail(name, error instanceof Error ? error.message : String(error), 'if it is no mistake of the setting, tell us'),
    ];
  }
}

function refused(name: string, { message, remedy }: SluiceError): Check {
  return fail(name, message, remedy ?? (name === 'project' ? 'sluice validate' : 'see the message'));
}
