import { randomUUID } from 'node:crypto';
import {
  Client,
  Connection,
  WorkflowNotFoundError,
  type ConnectionOptions,
  type WorkflowHandle,
} from '@temporalio/client';
import { allEnded } from '../contracts/all-ended.js';
import { BackfillStatus, ENDED, isAtRest, overOf } from '../contracts/status.js';
import { wholeOf } from '../contracts/parts.js';
import { STEPS_FIRST } from '../core/graph/urgency.js';
import { LedgerChange, type AdoptInput } from '../contracts/ledger.js';
import { PlanDocument } from '../contracts/plan.js';
import type { MessageInput, MessageName } from '../contracts/messages.js';
import { askedOf, type BackfillInput } from '../contracts/request.js';
import { scopeName } from '../contracts/scope.js';
import { askAgain, sendAgain } from './ask-again.js';
import { newId } from './id.js';
import { MessageRefusedError } from './errors.js';
import { translate } from './translate.js';

/** A request without what the client knows already. */
export type Request = Omit<BackfillInput, 'project' | 'environment'>;

/** What is adopted, without what the client knows already: a range (none for `grain: none`), `stale`, `reason`, `requestedBy`. */
export type Adoption = Omit<AdoptInput, 'project' | 'environment' | 'dataset'>;

export interface BackfillClientOptions {
  readonly project: string;
  /** Default: `default`. */
  readonly environment?: string;
  /** A client of Temporal's SDK; see {@link BackfillClient.connect} for one of our own. */
  readonly client: Client;
}

/** Started, and its first task scheduled: nobody has taken it up yet. A third says that somebody did, also where he is too busy to answer. */
const UNTAKEN_EVENTS = 2;

/** How often `watch` looks, by default. */
const WATCH_MS = 500;
/** A question that a worker was given as it ended is never answered, and fails after 30 s: in 3 of 12 deploys, on a busy machine. */
const ASK_AGAIN_MS = 5_000;

/**
 * Starts and steers the backfills of one project from another service. Needs Temporal only: no access to a database.
 *
 * ```ts
 * const backfills = await BackfillClient.connect({ project: 'flights', address: 'localhost:7233' });
 * const { id } = await backfills.start({ from: '2013-01-01', to: '2014-01-01', reason: 'new delay rule' });
 * for await (const { state, partitions } of backfills.watch(id)) console.log(state, partitions.done, partitions.total);
 * await backfills.close();
 * ```
 */
export class BackfillClient {
  readonly #client: Client;
  readonly #scope: { readonly project: string; readonly environment: string };
  #own: Connection | undefined;

  constructor({ client, project, environment = 'default' }: BackfillClientOptions) {
    this.#client = client;
    this.#scope = { project, environment };
  }

  /** Connects to a Temporal server; `close` ends the connection. */
  static async connect(
    options: ConnectionOptions & {
      readonly namespace?: string;
      readonly project: string;
      readonly environment?: string;
    },
  ): Promise<BackfillClient> {
    const { namespace = 'default', project, environment = 'default', ...connect } = options;
    const connection = await Connection.connect(connect);
    const made = new BackfillClient({ client: new Client({ connection, namespace }), project, environment });
    made.#own = connection;
    return made;
  }

  /** Workflow id of a backfill: `backfill/<scope>/<id>`; an id with a slash is a whole workflow id. */
  workflowId(id: string): string {
    const { project, environment } = this.#scope;
    return id.includes('/') ? id : `backfill/${scopeName(project, environment)}/${id}`;
  }

  /**
   * Starts a backfill and returns at once; planning may still refuse it, which `result` tells.
   * @throws BackfillIdTakenError
   */
  async start(
    request: Request,
    { id = newId(new Date()) }: { readonly id?: string } = {},
  ): Promise<{ id: string; workflowId: string }> {
    const workflowId = this.workflowId(id);
    await translate(id, () =>
      this.#client.workflow.start('backfill', {
        workflowId,
        taskQueue: 'sluice',
        args: [{ ...this.#scope, ...request }],
        // An id is never used twice, also not after a failure.
        workflowIdReusePolicy: 'REJECT_DUPLICATE',
        workflowTaskTimeout: '1 minute',
        priority: STEPS_FIRST,
        staticSummary: summaryOf(request),
        memo: { asked: askedOf(request) },
      }),
    );
    return { id, workflowId };
  }

  /** What a request would build and why; changes nothing. @throws RequestRefusedError */
  async plan(request: Request): Promise<PlanDocument> {
    const workflowId = `plan/${this.#scope.project}/${randomUUID()}`;
    const document: unknown = await translate<unknown>(workflowId, () =>
      this.#client.workflow.execute('plan', {
        workflowId,
        taskQueue: 'sluice',
        priority: STEPS_FIRST,
        args: [{ ...this.#scope, ...request }],
      }),
    );
    return PlanDocument.parse(document);
  }

  /**
   * Takes what a table has into the ledger; with `stale`, what is published and stale counts as built by today's definition. Returns when that is done.
   * @throws RequestRefusedError
   */
  async adopt(dataset: string, request: Adoption = {}): Promise<LedgerChange> {
    const workflowId = `adopt/${this.#scope.project}/${randomUUID()}`;
    const change: unknown = await translate<unknown>(workflowId, () =>
      this.#client.workflow.execute('adopt', {
        workflowId,
        taskQueue: 'sluice',
        priority: STEPS_FIRST,
        args: [{ ...this.#scope, ...request, dataset }],
      }),
    );
    return LedgerChange.parse(change);
  }

  /** Where a backfill stands. @throws BackfillNotFoundError */
  async status(id: string): Promise<BackfillStatus> {
    // As in askAgain, none may be under way when its caller, who has a failure, closes the connection.
    const [answer, end] = await allEnded([this.#answer(id), this.closedAs(id)]);
    if (end === undefined || ENDED.includes(answer.state)) return answer;
    // It may have ended after it answered: what it says now is the last word.
    const last = await this.#answer(id);
    return ENDED.includes(last.state) ? last : { ...last, ...end, datasets: last.datasets.map(overOf) };
  }

  async #answer(id: string): Promise<BackfillStatus> {
    return wholeOf((from) => this.#part(id, from));
  }

  /**
   * What a status has otherwise once the workflow is over that it was of: terminated, or timed out, it had no time to say so itself. Nobody need
   * answer for that.
   * @returns undefined while it is open
   */
  async closedAs(id: string): Promise<Pick<BackfillStatus, 'state' | 'reason' | 'endedAt' | 'waiting'> | undefined> {
    const { status, closeTime } = await this.#ask(id, (handle) => handle.describe());
    if (isOpen(status.name)) return undefined;
    const reason = `its workflow was ${status.name.toLowerCase().replace('_', ' ')}`;
    return { waiting: null, state: 'failed', reason, endedAt: closeTime?.toISOString() ?? null };
  }

  /** The status, whenever it has changed, until the backfill has ended or is held. @throws BackfillNotFoundError */
  async *watch(
    id: string,
    { everyMs = WATCH_MS, signal }: { readonly everyMs?: number; readonly signal?: AbortSignal } = {},
  ): AsyncGenerator<BackfillStatus, void, undefined> {
    let last = '';
    for (;;) {
      const status = await this.status(id);
      const text = JSON.stringify(status);
      if (text !== last) yield status;
      last = text;
      if (isAtRest(status) || signal?.aborted === true) return;
      await new Promise((done) => setTimeout(done, everyMs));
    }
  }

  /** Nothing new begins; work stops between two batches. */
  pause(id: string, message: MessageInput<'pause'> = {}): Promise<BackfillStatus> {
    return this.#send(id, 'pause', message);
  }

  resume(id: string, message: MessageInput<'resume'> = {}): Promise<BackfillStatus> {
    return this.#send(id, 'resume', message);
  }

  /** Asks it to end, and waits until it has; what was published stays. */
  async cancel(id: string, message: MessageInput<'cancel'> = {}): Promise<BackfillStatus> {
    await this.#send(id, 'cancel', message);
    await this.#ask(id, (handle) => handle.result()).catch(() => undefined);
    return this.status(id);
  }

  /** Tries again what failed, while it is held. */
  retry(id: string, message: MessageInput<'retry'> = {}): Promise<BackfillStatus> {
    return this.#send(id, 'retry', message);
  }

  /** Leaves partitions as they are, and their readers too. */
  skip(id: string, message: MessageInput<'skip'>): Promise<BackfillStatus> {
    return this.#send(id, 'skip', message);
  }

  adjust(id: string, message: MessageInput<'adjust'>): Promise<BackfillStatus> {
    return this.#send(id, 'adjust', message);
  }

  /**
   * Waits for the end. @returns the final status, as the history keeps it: where `leftOut` counts datasets, `status` has them.
   * @throws BackfillFailedError, BackfillCancelledError, RequestRefusedError, BackfillNotFoundError
   */
  async result(id: string): Promise<BackfillStatus> {
    return BackfillStatus.parse(await this.#ask(id, (handle) => handle.result()));
  }

  /** Whether a worker of its project has taken it up: until then it only waits in that project's queue. */
  async isTakenUp(id: string): Promise<boolean> {
    const { raw, historyLength } = await this.#ask(id, (handle) => handle.describe());
    const waiting = raw.pendingActivities ?? [];
    return (
      historyLength > UNTAKEN_EVENTS &&
      !waiting.some(({ lastStartedTime }) => lastStartedTime === null || lastStartedTime === undefined)
    );
  }

  /** Those of its scope that Temporal has open, newest first: also those that no worker has taken up, which the warehouse does not know. */
  async open(): Promise<{ readonly id: string; readonly startedAt: string }[]> {
    const prefix = this.workflowId('');
    const query = `WorkflowType = 'backfill' AND ExecutionStatus = 'Running' AND WorkflowId STARTS_WITH '${prefix}'`;
    const found: { id: string; startedAt: string }[] = [];
    for await (const { workflowId, startTime } of this.#client.workflow.list({ query }))
      found.push({ id: workflowId.slice(prefix.length), startedAt: startTime.toISOString() });
    return found.sort((a, b) => b.startedAt.localeCompare(a.startedAt));
  }

  /** Ends its workflow at once, without asking it: for one that nobody carries out. What it held is taken over by the next backfill. */
  async terminate(id: string, reason: string): Promise<void> {
    await this.#ask(id, (handle) => handle.terminate(reason));
  }

  /** Ends the connection that `connect` made; one that was handed in is its owner's. */
  async close(): Promise<void> {
    await this.#own?.close();
  }

  /** A status of very many datasets comes in parts: no payload is over 100 KB. */
  async #part(id: string, from: number): Promise<BackfillStatus> {
    const ask = (): Promise<unknown> => this.#ask(id, (handle) => handle.query('status', { from }));
    const answer = await askAgain(
      (deadline) => (deadline === undefined ? ask() : this.#client.withDeadline(deadline, ask)),
      ASK_AGAIN_MS,
    );
    return BackfillStatus.parse(answer);
  }

  /** One that was started by hand may have any workflow id: where `backfill/<scope>/<id>` is not known, `<id>` itself is asked. */
  #ask<T>(id: string, call: (handle: WorkflowHandle) => Promise<T>): Promise<T> {
    const { workflow } = this.#client;
    return translate(id, async () => {
      try {
        return await call(workflow.getHandle(this.workflowId(id)));
      } catch (error) {
        if (!(error instanceof WorkflowNotFoundError) || id.includes('/')) throw error;
        return await call(workflow.getHandle(id));
      }
    });
  }

  async #send<Name extends MessageName>(id: string, name: Name, message: MessageInput<Name>): Promise<BackfillStatus> {
    const call = async (handle: WorkflowHandle): Promise<unknown> => {
      try {
        return await sendAgain(() => handle.executeUpdate(name, { args: [message] }));
      } catch (error) {
        if (!(error instanceof WorkflowNotFoundError)) throw error;
        // Temporal says the same of one that has ended as of one that never was.
        const { status } = await handle.describe();
        throw new MessageRefusedError(`backfill ${id} has ended: ${status.name.toLowerCase()}`, { cause: error });
      }
    };
    const status = BackfillStatus.parse(await this.#ask(id, call));
    return status.leftOut === undefined ? status : this.#answer(id);
  }
}

function isOpen(status: string): boolean {
  return status === 'RUNNING' || status === 'PAUSED';
}

function summaryOf(request: Request): string {
  const { what, reason, by } = askedOf(request);
  return [what, reason, by && `by ${by}`].filter(Boolean).join(', ').slice(0, 200);
}
