import { Command } from 'commander';
import { RequestError } from '../../contracts/errors.js';
import { BackfillRequest } from '../../contracts/request.js';
import { compareWith } from '../../planning/against.js';
import { planRequest } from '../../planning/plan.js';
import { planDocument } from '../../planning/words.js';
import { deployedDefinition } from '../../store/definitions.js';
import { savePlan } from '../../store/plans.js';
import { createDefinitions, withFlags } from '../../worker/definitions.js';
import { print, type Io } from '../io.js';
import {
  addCommon,
  addOnly,
  addRange,
  addRebuild,
  addSelect,
  addSet,
  backfillInput,
  type BoundOptions,
  type CommonOptions,
  type RangeOptions,
  type RequestOptions,
  type SelectOptions,
} from '../options.js';
import { againstLines, markdownLines } from '../render/against.js';
import { planLines } from '../render/plan.js';
import { withProject } from '../session.js';
import type { Verb } from '../verb.js';

type Options = CommonOptions &
  RangeOptions &
  BoundOptions &
  SelectOptions &
  Pick<RequestOptions, 'rebuild' | 'overwrite' | 'set'> & {
    readonly against?: string;
    readonly exitCode?: boolean;
    readonly markdown?: boolean;
    readonly ddl?: boolean;
  };

/** `--exit-code`: deploying this folder would change something. No other exit code of ours. */
const DIFFERS = 6;

/** `sluice plan`: what would be built and why; changes nothing but the list of plans, so that `--plan` can name it. */
export const plan: Verb = {
  make: (io, exit) =>
    addCommon(
      addSet(
        addRebuild(
          addOnly(addRange(addSelect(new Command('plan').description('what would be built and why; changes nothing')))),
        ),
      ),
    )
      .option('--overwrite', 'also replace rows that sluice did not write')
      .option('--ddl', 'print the statements that make and change tables, not their number')
      .option('--against <env>', 'what deploying this folder there would change, in place of a plan')
      .option('--exit-code', `with --against: exit ${DIFFERS} when something is to be built again, added or removed`)
      .option('--markdown', 'with --against: as a comment for a pull request')
      .action(async (select: string[], options: Options) => {
        if (options.against !== undefined) {
          exit(await against(io, select, options, options.against));
          return;
        }
        if (options.exitCode === true || options.markdown === true) throw onlyAgainst();
        await withProject(io, options, async ({ opened }) => {
          const request = BackfillRequest.parse(backfillInput(opened.project().name, select, options));
          const project = await withFlags(opened.project(), request.set, io.env);
          const db = await opened.db();
          const stored = await planRequest({ project, db, pool: opened.pool }, request);
          await savePlan(db, stored);
          const document = planDocument(stored);
          print(io, options.json, document, () => planLines(document, io.screen(), options.ddl));
        });
      }),
};

/** Compares the folder, as it would be in that environment, with what its workers deploy. */
async function against(io: Io, select: readonly string[], options: Options, environment: string): Promise<number> {
  const { from, to, last, on, only, rebuild, overwrite, exclude, set } = options;
  if (
    select.length > 0 ||
    [from, to, last, on, only, rebuild, overwrite, exclude, set].some((one) => one !== undefined)
  ) {
    throw new RequestError(
      'option_conflict',
      '--against compares the whole project: it takes no selection, range or --rebuild',
      'leave them out',
    );
  }
  return withProject(io, { ...options, env: environment }, async ({ opened }) => {
    const project = opened.project();
    const db = await opened.db();
    const hash = await deployedDefinition(db, { project: project.name, environment });
    const deployed = hash === undefined ? undefined : await createDefinitions(db, opened.project, io.env)(hash);
    const document = await compareWith({ project, db, pool: opened.pool }, deployed);
    print(io, options.json, document, () =>
      options.markdown === true ? markdownLines(document) : againstLines(document, io.screen()),
    );
    return options.exitCode === true && document.changes ? DIFFERS : 0;
  });
}

function onlyAgainst(): RequestError {
  return new RequestError(
    'option_conflict',
    '--exit-code and --markdown go with --against',
    'name an environment: --against prod',
  );
}
