import {
  ActivityCancellationType,
  ActivityFailure,
  allHandlersFinished,
  ApplicationFailure,
  CancellationScope,
  condition,
  continueAsNew,
  isCancellation,
  log,
  proxyActivities,
  setCurrentDetails,
  setHandler,
  sleep,
  workflowInfo,
} from '@temporalio/workflow';
import type { GovernActivity, OrderActivity } from '../activities/index.js';
import {
  GovernedSite,
  GovernorInput,
  GovernorNews,
  WAREHOUSE_MESSAGES,
  type GovernorStatus,
  type WarehouseMessageName,
} from '../src/contracts/warehouse.js';
import { governorDetails } from './details.js';
import { governorQueue } from '../src/contracts/scope.js';
import * as messages from './messages.js';
import { scopeOf } from './proxies.js';
import { serveMessage } from './serve.js';

/** Far from the 4,096 at which Temporal asks for a fresh history; an activity of ten minutes adds 1,200 at most. */
const EVENTS_MAX = 2_500;
/** No worker takes the activity, or it failed for good: the next site, after this. */
const REST_MS = 2_000;

/** What a governor knows while it runs. */
interface Governor {
  readonly database: string;
  sites: readonly GovernedSite[];
  news: GovernorNews | null;
  trouble: string | null;
}

/** Keeps one database, as long as some project says that it needs it: restarts the activity that senses, judges and acts. */
export async function governor(told: GovernorInput): Promise<void> {
  const parsed = GovernorInput.safeParse(told);
  if (!parsed.success)
    throw ApplicationFailure.create({
      type: 'bad_request',
      message: parsed.error.message.slice(0, 4000),
      nonRetryable: true,
    });
  const state: Governor = { ...parsed.data, trouble: null };
  handle(state);
  show(state);
  while (state.sites.length > 0) {
    const [site, ...others] = state.sites;
    if (!site) break;
    const end = await governAt(state, site);
    if (end === 'over') state.sites = state.sites.filter((one) => !same(one, site));
    if (end === 'lost') {
      state.sites = [...others, site];
      await sleep(REST_MS);
    }
    if (workflowInfo().historyLength > EVENTS_MAX / 2 || workflowInfo().continueAsNewSuggested) {
      await condition(allHandlersFinished);
      await continueAsNew<typeof governor>({ database: state.database, sites: [...state.sites], news: state.news });
    }
  }
  await condition(allHandlersFinished);
}

/** One activity; cut short where messages fill the history meanwhile. `lost`: no worker took it, or it failed. */
async function governAt(state: Governor, site: GovernedSite): Promise<'again' | 'over' | 'lost'> {
  const scope = new CancellationScope();
  const holder = workflowInfo().firstExecutionRunId;
  const full = (): boolean => workflowInfo().historyLength > EVENTS_MAX;
  try {
    return await scope.run(async () => {
      const running = governing(site).govern({ site, database: state.database, holder });
      void condition(full).then(
        () => {
          scope.cancel();
        },
        () => undefined,
      );
      const end = await running;
      state.trouble = null;
      return end;
    });
  } catch (error) {
    if (isCancellation(error) && full()) return 'again';
    if (!(error instanceof ActivityFailure) || isCancellation(error)) throw error;
    state.trouble = `it does not run on ${scopeOf(site)}: ${(error.cause ?? error).message.slice(0, 300)}`;
    log.warn('the governor begins again', { trouble: state.trouble });
    show(state);
    return 'lost';
  } finally {
    scope.cancel();
  }
}

/**
 * A heartbeat each second; four seconds of silence, and another worker takes over, before the gate's five are long past. One that fails is tried again at
 * once: nothing passes meanwhile. A queue that nobody asks is left for that of another project. It is a queue of its own, of which a worker asks with
 * one poll: what a frozen worker asked for before is still handed to it, 4 s lost each; on the control queue, with ten polls, that was 30 s and more.
 */
function governing(site: GovernedSite): GovernActivity {
  return proxyActivities<GovernActivity>({
    taskQueue: governorQueue(site.project, site.environment),
    scheduleToStartTimeout: '10s',
    startToCloseTimeout: '12 minutes',
    heartbeatTimeout: '4s',
    cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
    retry: RETRY,
  });
}

/** A statement or two. */
function ordersAt(site: GovernedSite): OrderActivity {
  return proxyActivities<OrderActivity>({
    taskQueue: `sluice.${scopeOf(site)}`,
    startToCloseTimeout: '10s',
    retry: RETRY,
  });
}

const RETRY = { initialInterval: '100ms', backoffCoefficient: 2, maximumInterval: '2s' } as const;

function handle(state: Governor): void {
  setHandler(messages.governorStatus, () => statusOf(state), { description: 'What stands, and why.' });
  setHandler(
    messages.serve,
    (site) => {
      messages.heard(GovernedSite, site, (read) => {
        if (!state.sites.some((one) => same(one, read))) state.sites = [...state.sites, read].slice(-100);
      });
    },
    { description: 'From workers: a connection of this database can be governed from there.' },
  );
  setHandler(
    messages.governed,
    (news) => {
      messages.heard(GovernorNews, news, (read) => {
        state.news = read;
        show(state);
      });
    },
    { description: 'From the governing activity: what stands.' },
  );
  say(state, 'hold', () => 0);
  say(state, 'release', () => null);
  say(state, 'limit', ({ slots }) => slots ?? 0);
}

/** What a person says goes into the warehouse, where the gate reads it. */
function say(
  state: Governor,
  name: WarehouseMessageName,
  slotsOf: (message: { slots?: number }) => number | null,
): void {
  const schema = WAREHOUSE_MESSAGES[name];
  serveMessage(name, messages[name], {
    complaint: (input) => schema.safeParse(input ?? {}).error?.message,
    act: async (input) => {
      const message: { slots?: number; reason?: string | undefined; requestedBy?: string | undefined } = schema.parse(
        input ?? {},
      );
      const [site] = state.sites;
      if (!site) throw ApplicationFailure.nonRetryable('this governor is over');
      const { reason, requestedBy: actor = 'unknown' } = message;
      const order = { site, database: state.database, slots: slotsOf(message), actor };
      await ordersAt(site).orderWarehouse({ ...order, ...(reason === undefined ? {} : { reason }) });
      return statusOf(state);
    },
  });
}

function same(a: GovernedSite, b: GovernedSite): boolean {
  return a.project === b.project && a.environment === b.environment && a.connection === b.connection;
}

function statusOf({ database, sites, news }: Governor): GovernorStatus {
  return { database, sites, news };
}

function show(state: Governor): void {
  setCurrentDetails(governorDetails(statusOf(state), state.trouble));
}
