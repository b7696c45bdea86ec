import { Command } from 'commander';
import { adviceOn } from '../advise.js';
import { print } from '../io.js';
import { addCommon, type CommonOptions } from '../options.js';
import { adviceLines } from '../render/advise.js';
import { asked, withProject } from '../session.js';
import { newest } from './status.js';
import type { Verb } from '../verb.js';

/** `sluice advise [ID]`: what limits a backfill, and what would help. */
export const advise: Verb = {
  make: (io) =>
    addCommon(
      new Command('advise')
        .description('what limits a backfill, and what would help; watches it for 3 s, changes nothing')
        .argument('[id]'),
    ).action(async (id: string | undefined, options: CommonOptions) => {
      await withProject(io, options, async (session) => {
        const named = id ?? (await newest(session));
        const status = await asked(() => session.status(named));
        const document = await adviceOn(session, status, session.workflowId(named), io.now());
        print(io, options.json, document, () => adviceLines(document, io.screen(), options.env));
      });
    }),
};
