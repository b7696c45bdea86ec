import { newId } from '../client/id.js';
import { RequestError } from '../contracts/errors.js';
import type { StoredPlan } from '../contracts/plan.js';
import { askedOf, BackfillRequest, type BackfillInput } from '../contracts/request.js';
import type { BackfillStatus } from '../contracts/status.js';
import { plural } from '../core/words.js';
import { planRequest } from '../planning/plan.js';
import { requireDeployed, shortHash } from '../planning/protected.js';
import { buildCount, planDocument } from '../planning/words.js';
import type { Project } from '../project/project.js';
import { claimBackfill, endBackfill, findBackfill } from '../store/backfills.js';
import { deployedDefinition } from '../store/definitions.js';
import { asPlanned } from '../store/plans.js';
import type { Db } from '../store/store.js';
import { createDefinitions, register, withFlags } from '../worker/definitions.js';
import type { Io } from './io.js';
import type { Session } from './session.js';

/** A request that was planned here, before anything is started. */
export interface Prepared {
  readonly id: string;
  readonly input: BackfillInput;
  readonly plan: StoredPlan;
  readonly partitions: number;
  readonly datasets: number;
  readonly hints: readonly string[];
}

interface Which {
  readonly id?: string;
  readonly local?: boolean;
  readonly deployed?: boolean;
}

/** People type it as one word, and it is a part of workflow ids. */
const ID = /^[^\s\p{C}]{1,200}$/u;

/** Plans before anything is started, so that whatever is wrong with the request is said at once, and nothing to do costs nothing. */
export async function prepare(io: Io, session: Session, asked: BackfillInput, which: Which): Promise<Prepared> {
  if (which.id !== undefined && !ID.test(which.id)) {
    throw new RequestError(
      'bad_option',
      `--id ${JSON.stringify(which.id)} is not possible`,
      'at most 200 characters, none of them a space',
    );
  }
  const db = await session.opened.db();
  const id = which.id ?? newId(new Date(io.now()));
  if (which.id !== undefined && (await findBackfill(db, session.workflowId(id)))) {
    throw new RequestError(
      'id_taken',
      `backfill ${id} exists already: an id is never used twice`,
      'leave out --id, or choose another',
    );
  }
  const project = await chosen(db, session.opened.project(), which, io);
  const input = { ...(await asPlanned(db, asked)), definition: project.hash };
  const request = BackfillRequest.parse(input);
  const flagged = await withFlags(project, request.set, io.env);
  const plan = await planRequest({ project: flagged, db, pool: session.opened.pool }, request);
  if (request.plan !== undefined && request.plan !== plan.fingerprint) {
    throw new RequestError(
      'plan_changed',
      `plan ${request.plan} is no longer true: it would now be ${plan.fingerprint}`,
      'run `sluice plan` again and look at what changed',
    );
  }
  const { next } = planDocument(plan);
  return {
    id,
    input,
    plan,
    partitions: buildCount(plan),
    datasets: plan.datasets.filter(({ runs }) => runs.length > 0).length,
    hints: next === undefined ? [] : [`only stale partitions are left; to rebuild them: ${next}`],
  };
}

/** The definition to carry out: this folder's, unless it differs from what the workers deploy and nobody said which. */
async function chosen(db: Db, local: Project, which: Which, io: Io): Promise<Project> {
  const scope = { project: local.name, environment: local.environment };
  const hash = await deployedDefinition(db, scope);
  const deployed = hash === undefined ? undefined : await createDefinitions(db, () => local, io.env)(hash);
  // Who could take the protection away in a folder of their own would not be bound by it.
  if (local.protected || deployed?.protected === true) return protectedOne(db, local, which, deployed);
  if (which.local === true || deployed === undefined || deployed.hash === local.hash) {
    await register(db, local);
    return local;
  }
  if (which.deployed === true) return deployed;
  throw new RequestError(
    'definitions_differ',
    `this folder is definition ${shortHash(local.hash)}, the workers deploy ${shortHash(deployed.hash)}${schemasOf(local, deployed)}`,
    'carry out this folder’s with --local, or the workers’ with --deployed (`sluice dev` reloads within a second)',
  );
}

/** Said where it is another one: then one of the two is perhaps another person's. */
function schemasOf(local: Project, deployed: Project): string {
  return local.schema === deployed.schema
    ? ''
    : `: this one writes to schema ${local.schema}, theirs to ${deployed.schema}`;
}

async function protectedOne(db: Db, local: Project, which: Which, deployed: Project | undefined): Promise<Project> {
  if (which.local === true) {
    throw new RequestError(
      'protected_environment',
      `environment ${local.environment} is protected: --local is refused there`,
      'deploy this folder first, or carry out what is deployed with --deployed',
    );
  }
  if (which.deployed !== true || deployed === undefined) await requireDeployed(db, local);
  return deployed ?? local;
}

/** A backfill that had nothing to do: it is kept, so that its id is taken and `status` knows it. */
export async function recordNothing(io: Io, session: Session, { id, input, plan }: Prepared): Promise<BackfillStatus> {
  const db = await session.opened.db();
  const { name: project, environment } = session.opened.project();
  const workflowId = session.workflowId(id);
  const now = new Date(io.now()).toISOString();
  const status: BackfillStatus = {
    id,
    project,
    environment,
    state: 'completed',
    reason: nothingWords(plan),
    asked: askedOf(input),
    startedAt: now,
    endedAt: now,
    partitions: { total: 0, done: 0, failed: 0, blocked: 0, skipped: 0 },
    rows: 0,
    waiting: null,
    warnings: plan.warnings,
    datasets: [],
    plan: plan.fingerprint,
  };
  if (!(await claimBackfill(db, { project, environment }, workflowId, id, BackfillRequest.parse(input)))) {
    throw new RequestError(
      'id_taken',
      `backfill ${id} exists already: an id is never used twice`,
      'choose another --id',
    );
  }
  await endBackfill(db, workflowId, status);
  return status;
}

/** Only where nothing is missing, stale or left out is all up to date. */
function nothingWords({ datasets, warnings }: StoredPlan): string {
  const stale = datasets.flatMap(({ notAsked = [] }) => notAsked).reduce((sum, { partitions }) => sum + partitions, 0);
  if (stale > 0) return `nothing to do: ${plural(stale, 'stale partition')} not asked for`;
  const left = datasets.some(({ missing, stale: some }) => missing + some > 0);
  if (left)
    return `nothing to do now: what is left cannot be built yet${warnings.length > 0 ? ', as the warnings say' : ''}`;
  return 'nothing to do: all is up to date';
}
