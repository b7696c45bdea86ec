import { Command } from 'commander';
import { BackfillRequest } from '../../contracts/request.js';
import { planRequest } from '../../planning/plan.js';
import { planDocument } from '../../planning/words.js';
import { savePlan } from '../../store/plans.js';
import { print } from '../io.js';
import {
  addCommon,
  addRange,
  addRebuild,
  addSelect,
  backfillInput,
  type CommonOptions,
  type RangeOptions,
  type RequestOptions,
  type SelectOptions,
} from '../options.js';
import { planLines } from '../render/plan.js';
import { withProject } from '../session.js';
import type { Verb } from '../verb.js';

type Options = CommonOptions & RangeOptions & SelectOptions & Pick<RequestOptions, 'rebuild' | 'overwrite'>;

/** `sluice plan`: what would be built and why; changes nothing but the list of plans, so that `--plan` can name it. */
export const plan: Verb = {
  make: (io) =>
    addCommon(
      addRebuild(addRange(addSelect(new Command('plan').description('what would be built and why; changes nothing')))),
    )
      .option('--overwrite', 'also replace rows that sluice did not write')
      .action(async (select: string[], options: Options) => {
        await withProject(io, options, async ({ opened }) => {
          const project = opened.project();
          const request = BackfillRequest.parse(backfillInput(project.name, select, options));
          const db = await opened.db();
          const stored = await planRequest({ project, db, pool: opened.pool, now: io.now() }, request);
          await savePlan(db, stored);
          const document = planDocument(stored);
          print(io, options.json, document, () => planLines(document, io.screen()));
        });
      }),
};
