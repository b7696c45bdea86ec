import type { Client } from '@temporalio/client';
import type { Logger } from 'pino';
import type { GovernedSite, GovernorInput } from '../contracts/warehouse.js';
import { STEPS_FIRST } from '../core/graph/urgency.js';
import type { Project } from '../project/project.js';
import type { Db } from '../store/store.js';
import { rowsOf } from '../store/store.js';
import type { Governed } from './limits.js';

export interface GovernorStarter {
  /** What the project needs now: each has a governor from here on. */
  readonly serve: (project: Project, governed: readonly Governed[]) => Promise<void>;
  readonly stop: () => void;
}

/** How often a worker looks whether a governor that is needed is silent: the workflow may have been terminated, or Temporal have lost it. */
const LOOK_MS = 5_000;

/** A server that does not answer for so long is asked again with the next look. */
const START_MS = 10_000;

/** Starts governors, or tells those that run that they can be carried out here too. */
export function createGovernorStarter(client: Client, db: Db, log: Logger): GovernorStarter {
  let wanted: readonly (GovernedSite & Governed)[] = [];
  const start = async ({ database, ...site }: GovernedSite & Governed): Promise<void> => {
    const input: GovernorInput = { database, sites: [site] };
    await client.workflow.signalWithStart('governor', {
      workflowId: `governor/${database}`,
      taskQueue: 'sluice',
      priority: STEPS_FIRST,
      args: [input],
      signal: 'serve',
      signalArgs: [site],
      staticSummary: `governor of ${database}`,
    });
  };
  const startAll = async (some: readonly (GovernedSite & Governed)[]): Promise<void> => {
    for (const one of some) {
      await client
        .withDeadline(Date.now() + START_MS, () => start(one))
        .catch((error: unknown) => {
          log.error({ err: error, connection: one.connection }, 'its governor was not started: no batch passes there');
        });
    }
  };
  const timer = setInterval(() => {
    void silentOnes(db, wanted)
      .then(startAll)
      .catch((error: unknown) => {
        log.warn({ err: error }, 'cannot look after governors');
      });
  }, LOOK_MS);
  return {
    serve: async ({ name: project, environment }, governed) => {
      wanted = governed.map((one) => ({ project, environment, ...one }));
      await startAll(wanted);
    },
    stop: () => {
      clearInterval(timer);
    },
  };
}

/** Those of which nothing was heard lately. */
async function silentOnes<One extends Governed>(db: Db, wanted: readonly One[]): Promise<One[]> {
  if (wanted.length === 0) return [];
  const rows = await rowsOf<{ database: string }>(
    db,
    `SELECT database FROM sluice.governors WHERE alive_at > clock_timestamp() - interval '5 s'`,
  );
  const alive = new Set(rows.map(({ database }) => database));
  return wanted.filter(({ database }) => !alive.has(database));
}
