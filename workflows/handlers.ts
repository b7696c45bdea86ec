import { ApplicationFailure, setHandler } from '@temporalio/workflow';
import { MESSAGES, Report, StatusQuery, type MessageName, type MessageOf } from '../src/contracts/messages.js';
import { few, partOf, shortened } from '../src/contracts/parts.js';
import { ENDED, isAtRest } from '../src/contracts/status.js';
import { toDatasets } from './children.js';
import * as messages from './messages.js';
import { plural } from '../src/core/words.js';
import { controlOf } from './proxies.js';
import { documentOf, goOn, PLANS_AGAIN, takeReport, type Run } from './run.js';
import { serveMessage } from './serve.js';

type Act<Name extends MessageName> = (run: Run, message: MessageOf<Name>) => Promise<void>;

/** Serves the public messages, each as signal and as update, and the status query. */
export function handleMessages(run: Run, cancelAll: () => void): void {
  setHandler(
    messages.status,
    (asked) => {
      const { data } = StatusQuery.safeParse(asked);
      return data ? partOf(documentOf(run), data.from) : shortened(documentOf(run));
    },
    {
      description:
        'The document of `sluice status --json`; of very many datasets, those that `{ "from": 0 }` begins with.',
    },
  );
  setHandler(
    messages.report,
    (told) => {
      messages.heard(Report, told, (report) => {
        takeReport(run, report);
      });
    },
    { description: 'From its datasets only.' },
  );
  serve(run, 'pause', pause);
  serve(run, 'resume', resume);
  serve(run, 'retry', retry);
  serve(run, 'skip', skip);
  serve(run, 'adjust', adjust);
  serve(run, 'cancel', (_run, { reason, requestedBy }) => {
    run.cancelReason = reason ?? 'cancelled';
    run.cancelledBy = requestedBy ?? 'unknown';
    run.cancelSaidBy = requestedBy;
    cancelAll();
    return Promise.resolve();
  });
}

function serve<Name extends MessageName>(run: Run, name: Name, act: Act<Name>): void {
  serveMessage(name, messages[name], {
    complaint: (input) => complaint(run, name, input),
    act: async (input) => {
      await act(run, read(name, input));
      return shortened(documentOf(run));
    },
  });
}

function read<Name extends MessageName>(name: Name, input: unknown): MessageOf<Name> {
  return MESSAGES[name].parse(input ?? {}) as MessageOf<Name>;
}

function complaint(run: Run, name: MessageName, input: unknown): string | undefined {
  const parsed = MESSAGES[name].safeParse(input ?? {});
  if (!parsed.success)
    return parsed.error.issues.map((issue) => `${issue.path.join('.') || name}: ${issue.message}`).join('; ');
  if (ENDED.includes(run.state)) return `backfill ${run.ref.backfillId} has ended: ${run.state}`;
  if (name === 'retry' && run.state !== 'held')
    return `backfill ${run.ref.backfillId} is ${run.state}: only a held one is retried`;
  const dataset = 'dataset' in parsed.data ? parsed.data.dataset : undefined;
  if (typeof dataset === 'string' && !run.names.includes(dataset))
    return `backfill ${run.ref.backfillId} does not build ${dataset}: it builds ${few(run.names)}`;
  if (name === 'pause' && run.state === 'held') return `backfill ${run.ref.backfillId} is held: nothing runs`;
  if (name === 'skip' && !run.opened) return `backfill ${run.ref.backfillId} is still planning`;
  if (name === 'skip' && run.meant) return skipComplaint(run, MESSAGES.skip.parse(input));
  if (name === 'pause' && run.paused) return `backfill ${run.ref.backfillId} is paused already`;
  if (name === 'resume' && !run.paused) return `backfill ${run.ref.backfillId} is not paused`;
  return undefined;
}

function skipComplaint(run: Run, { dataset, from, to, on, failed, all }: MessageOf<'skip'>): string | undefined {
  const status = run.datasets.get(dataset);
  const ranged = [from, to, on].some((one) => one !== undefined);
  if (all && (ranged || failed)) return 'skip takes all, or a range, or what failed: one of them';
  if (failed && status?.failureCount === 0) return `nothing of ${dataset} has failed in backfill ${run.ref.backfillId}`;
  if (ranged || failed || all || status?.total === 1) return undefined;
  return `skip ${dataset} needs a range, or to be told that it is for all of it or for what failed: else it would leave ${plural((status?.total ?? 0) - (status?.done ?? 0), 'partition')} as they are`;
}

const pause: Act<'pause'> = async (run, message) => {
  // The gate first: if it cannot be told, nothing has changed.
  await order(run, 'pause', message, { paused: true });
  run.paused = true;
  // Ended, or held for a person: it is not for a pause to say otherwise.
  if (run.opened && !isAtRest(run)) goOn(run, message.reason ?? 'paused', message.requestedBy);
  await toDatasets(run, { kind: 'pause' });
};

const resume: Act<'resume'> = async (run, message) => {
  await order(run, 'resume', message, { paused: false });
  run.paused = false;
  // Paused, it may have come to be held: then that is where it stays.
  if (run.state === 'paused') {
    goOn(run, message.reason ?? 'resumed', message.requestedBy);
  }
  await toDatasets(run, { kind: 'resume' });
};

const retry: Act<'retry'> = async (run, message) => {
  const { withCurrent, upstream, dataset = null } = message;
  const how = [...(withCurrent ? [' --with-current'] : []), ...(upstream ? [' --upstream'] : [])].join('');
  await order(run, `retry${how}`, message, {});
  if (withCurrent || upstream) {
    run.replan = { current: withCurrent, upstream: upstream ? dataset : undefined };
    if (run.meant) Object.assign(run, { state: 'planning', reason: PLANS_AGAIN, waiting: null });
  } else await toDatasets(run, { kind: 'retry', round: ++run.round, dataset });
};

const skip: Act<'skip'> = async (run, message) => {
  if (!run.opened)
    throw ApplicationFailure.create({
      type: 'message_refused',
      message: 'the backfill is still planning',
      nonRetryable: true,
    });
  const [span, ...more] = await spansOf(run, run.opened.plan, message);
  if (!span)
    throw ApplicationFailure.create({
      type: 'message_refused',
      message: `no partition of ${message.dataset} in this backfill is in that range`,
      nonRetryable: true,
    });
  await order(run, 'skip', message, {});
  if (message.requestedBy !== undefined) run.skippers.add(message.requestedBy);
  const { dataset } = message;
  await toDatasets(run, { kind: 'skip', round: ++run.round, dataset, span, ...(more.length === 0 ? {} : { more }) });
};

async function spansOf(
  { ref, meant }: Run,
  plan: string,
  range: MessageOf<'skip'>,
): Promise<readonly (readonly [number, number])[]> {
  if (meant) return controlOf(ref).keepSkip({ ref, plan, skip: range });
  const span = await controlOf(ref).spanOf({ ref, plan, range });
  return span ? [span] : [];
}

const adjust: Act<'adjust'> = async (run, message) => {
  const { priority, maxParallel } = message;
  if (priority !== undefined) run.priority = priority;
  if (maxParallel !== undefined) run.maxParallel = maxParallel;
  await order(run, 'adjust', message, {
    ...(priority === undefined ? {} : { priority }),
    ...(maxParallel === undefined ? {} : { maxParallel }),
  });
  await toDatasets(run, { kind: 'adjust', maxParallel: run.maxParallel, priority: run.priority });
};

interface Written {
  readonly paused?: boolean;
  readonly priority?: number;
  readonly maxParallel?: number;
}

/** Writes what the gate reads: control acts within a batch, whatever the datasets' workflows are doing. */
async function order(
  run: Run,
  action: string,
  message: { reason?: string | undefined; requestedBy?: string | undefined },
  written: Written,
): Promise<void> {
  const { reason, requestedBy } = message;
  await controlOf(run.ref).control({
    ...run.ref,
    ...written,
    actor: requestedBy ?? 'unknown',
    action,
    ...(reason === undefined ? {} : { reason }),
  });
}
