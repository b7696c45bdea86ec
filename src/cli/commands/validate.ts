import { Command } from 'commander';
import { formatProblem, ProjectError, RequestError, type Problem } from '../../contracts/errors.js';
import { checkProject, type Checked, type NotChecked } from '../../planning/check.js';
import { requireWithinLimits } from '../../planning/limits.js';
import { print, type Io } from '../io.js';
import { addCommon, type CommonOptions } from '../options.js';
import { warningText } from '../render/backfill.js';
import { ERROR_MAX } from '../render/errors.js';
import { plural } from '../render/format.js';
import { wrap } from '../render/text.js';
import { withProject, type Session } from '../session.js';
import type { Verb } from '../verb.js';

interface Options extends CommonOptions {
  readonly connect: boolean;
}

/** `sluice validate`: every mistake of a project at once; with `--connect`, the databases are asked too. */
export const validate: Verb = {
  make: (io, exit) =>
    addCommon(new Command('validate').description('check the project: every problem with file, line and remedy'))
      .option('--connect', 'also prepare every statement in its database', false)
      .action(async (options: Options) => {
        const refused = await withProject(io, options, async (session) => validateProject(io, session, options)).catch(
          (error: unknown) => {
            if (options.json && error instanceof ProjectError) return { problems: error.problems, notChecked: [] };
            throw error;
          },
        );
        if (refused === undefined) return;
        if (!options.json) throw new RequestError('project_invalid', refusedText(refused));
        print(io, true, problemsDocument(refused), () => []);
        exit(2);
      }),
};

type Refused = Pick<Checked, 'problems' | 'notChecked'>;

/** Says that the project is valid, or returns what the databases refuse. */
async function validateProject(io: Io, { opened }: Session, { connect, json }: Options): Promise<Refused | undefined> {
  const project = opened.project();
  requireWithinLimits(project, io.now());
  const checked: Checked = connect
    ? await checkProject({ project, db: await opened.db(), pool: opened.pool })
    : { problems: [], notChecked: [], warnings: [] };
  if (checked.problems.length > 0) return checked;
  const { size } = project.datasets;
  const document = { valid: true, datasets: size, ...(connect ? { warnings: checked.warnings } : {}) };
  print(io, json, document, () => [
    `project ${project.name} is valid: ${plural(size, 'dataset')}${connect ? ', every statement prepared' : ''}`,
    ...checked.warnings.flatMap((warning) => wrap(warningText(warning), io.screen().width)),
    ...(connect ? [] : ['its statements were not tried: sluice validate --connect']),
  ]);
  return undefined;
}

function refusedText({ problems, notChecked }: Refused): string {
  return [
    `${plural(problems.length, 'problem')} in the project`,
    ...problems.map(formatProblem),
    ...notChecked.map(({ dataset, because }) => `${dataset} was not checked: it reads ${because}, directly or not`),
  ].join('\n');
}

interface ProblemsDocument {
  readonly error: {
    readonly code: 'project_invalid';
    readonly message: string;
    /** As many as fit. */
    readonly problems: readonly Problem[];
    readonly notChecked: readonly NotChecked[];
  };
}

/** The error of `--json`, its problems one by one; at most {@link ERROR_MAX} characters, the message says how many there are. */
export function problemsDocument({ problems, notChecked }: Refused): ProblemsDocument {
  const message = `${plural(problems.length, 'problem')} in the project`;
  const made = (some: readonly Problem[], others: readonly NotChecked[]): ProblemsDocument => ({
    error: { code: 'project_invalid', message, problems: some, notChecked: others },
  });
  const fits = (document: ProblemsDocument): boolean => JSON.stringify(document, null, 2).length <= ERROR_MAX;
  let kept = problems;
  let others = notChecked;
  while (others.length > 0 && !fits(made(kept, others))) others = others.slice(0, -1);
  while (kept.length > 0 && !fits(made(kept, others))) kept = kept.slice(0, -1);
  return made(kept, others);
}
