import { totalsOf } from '../contracts/parts.js';
import { RequestError, SystemError } from '../contracts/errors.js';
import { typedIn } from '../contracts/typed.js';
import { ENDED, overOf, type BackfillStatus } from '../contracts/status.js';
import { scopeOf } from '../project/project.js';
import { keptStatus } from '../store/kept-status.js';
import type { Io } from './io.js';
import { isNobody, noWorker, type Session } from './session.js';

/** How long nobody may answer before it is said, and before the command gives up. */
const SAY_MS = 5_000;
const GIVE_UP_MS = 60_000;
const LOOK_MS = 100;
/** How long one look waits for an answer. */
const ANSWER_MS = 2_000;
/** Silence that is worth a word: workers on a machine at ten times its load took 2 s for an answer, again and again. */
export const SILENT_MS = 10_000;

/**
 * Waits until a backfill that was just started is planned. A refusal is thrown as what it is; a worker that is not there is said
 * after 5 s, and after 60 s the start is taken back.
 */
export async function untilPlanned(io: Io, session: Session, id: string): Promise<BackfillStatus> {
  const began = io.now();
  let said = false;
  const typed = (command: string): string => `\`${typedIn(session.opened.project().environment, command)}\``;
  const start = `start one with ${typed('sluice worker')} (or ${typed('sluice dev')})`;
  for (;;) {
    const status = await answerOf(session, id);
    if (status !== undefined && status.state !== 'planning') return refused(session, id, status);
    if (status?.waiting && (await (await session.client()).isTakenUp(id))) return status;
    const waited = io.now() - began;
    const takenUp = waited > SAY_MS && (await (await session.client()).isTakenUp(id));
    if (waited > SAY_MS && !(status !== undefined && takenUp)) {
      const queue = status === undefined ? 'sluice' : `sluice.${scopeName(session)}`;
      if (!said) io.err(`no worker answers on the queue ${queue} yet: ${start}\n`);
      said = true;
      // Of one with hundreds of datasets a worker may be too busy to answer: what somebody has taken up is not taken back.
      if (waited > GIVE_UP_MS && !takenUp) {
        await (await session.client()).terminate(id, 'no worker answered within 60 s');
        throw new SystemError(
          'no_worker',
          `no worker answered on the queue ${queue} within 60 s; the start was taken back`,
          `${start}, then try again`,
        );
      }
    }
    await new Promise((done) => setTimeout(done, LOOK_MS));
  }
}

/** Where a backfill stands; undefined when nobody answers, because no worker polls. */
export async function answerOf(
  session: Session,
  id: string,
  withinMs = ANSWER_MS,
): Promise<BackfillStatus | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const silence = new Promise<undefined>((done) => (timer = setTimeout(done, withinMs, undefined)));
  try {
    return await Promise.race([session.status(id), silence]);
  } catch (error) {
    if (isNobody(error)) return undefined;
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

/** A backfill that failed while planning was refused: its result says why. */
async function refused(session: Session, id: string, status: BackfillStatus): Promise<BackfillStatus> {
  if (status.state !== 'failed' || status.partitions.total > 0) return status;
  await (await session.client()).result(id);
  throw new RequestError('refused', status.reason);
}

/** Where a backfill stands; when nobody answers, as the warehouse and Temporal know it without a worker. */
export async function knownStatus(session: Session, id: string, withinMs: number): Promise<BackfillStatus> {
  const answer = await answerOf(session, id, withinMs);
  if (answer?.state === 'planning' && answer.waiting === null && !(await (await session.client()).isTakenUp(id)))
    return { ...answer, waiting: { ...unserved(session), since: answer.startedAt } };
  if (answer !== undefined) return answer;
  const db = await session.opened.db();
  const waiting = {
    for: 'a worker: none answers',
    next: workerStart(session),
  };
  // Asked first: whoever had ended by then has left its last word, if it had one.
  const end = await (await session.client()).closedAs(id);
  const kept = (await keptStatus(db, session.workflowId(id), waiting)) ?? (await keptStatus(db, id, waiting));
  // Not even its start was heard of.
  if (kept === undefined) {
    const [open] = (await (await session.client()).open()).filter((one) => one.id === id);
    if (open) return unheard(session, open);
    throw noWorker(`no worker answers for ${id}`, undefined, workerStart(session));
  }
  if (ENDED.includes(kept.state) || end === undefined) return kept;
  return { ...kept, ...end, datasets: kept.datasets.map(overOf) };
}

/** Nobody serves the project in this environment. */
export function unserved(session: Session): { readonly for: string; readonly next: string } {
  return { for: `a worker of ${scopeName(session)}: none has taken it up`, next: workerStart(session) };
}

/** One that Temporal has and nobody has taken up: all that is known of it. */
function unheard(session: Session, { id, startedAt }: { id: string; startedAt: string }): BackfillStatus {
  const { name: project, environment } = session.opened.project();
  return {
    ...{ id, project, environment, startedAt, endedAt: null },
    state: 'planning',
    reason: 'planning',
    ...totalsOf([]),
    waiting: { ...unserved(session), since: startedAt },
    warnings: [],
    datasets: [],
  };
}

/** Says it once when what was asked is not answered for long; it goes on waiting. */
export async function sayingSilence<T>(io: Io, session: Session, asked: Promise<T>): Promise<T> {
  const timer = setTimeout(() => io.err(silenceLine(session)), SILENT_MS);
  return asked.finally(() => {
    clearTimeout(timer);
  });
}

/**
 * Waits until a backfill that was asked to cancel has ended. Where no worker takes that up it ends what nobody ever planned, which holds nothing;
 * and of any other it says what the end waits for.
 * @throws SystemError no_worker
 */
export async function cancelling(
  io: Io,
  session: Session,
  id: string,
  ending: Promise<BackfillStatus>,
): Promise<BackfillStatus> {
  const until = io.now() + GIVE_UP_MS;
  for (;;) {
    const ended = await Promise.race([
      ending,
      new Promise<undefined>((done) => setTimeout(done, ANSWER_MS, undefined)),
    ]);
    if (ended !== undefined) return ended;
    if (io.now() < until || (await (await session.client()).isTakenUp(id))) continue;
    // Nobody waits for its answer any more.
    ending.catch(() => undefined);
    const planned = await keptStatus(await session.opened.db(), session.workflowId(id), unserved(session));
    if (planned !== undefined)
      throw noWorker(
        `backfill ${id} ends once a worker of ${scopeName(session)} takes that up: none has`,
        undefined,
        workerStart(session),
      );
    const [open] = (await (await session.client()).open()).filter((one) => one.id === id);
    if (open === undefined) return ending;
    await (await session.client()).terminate(id, 'cancelled: no worker had taken it up');
    const endedAt = new Date(io.now()).toISOString();
    const reason = 'no worker had taken it up';
    return { ...unheard(session, open), waiting: null, state: 'cancelled', reason, endedAt };
  }
}

export function silenceLine(session: Session): string {
  return `no worker has answered for ${SILENT_MS / 1000} s: if none runs, start one with \`${workerStart(session)}\`; if they are busy, this goes on by itself\n`;
}

function workerStart({ opened }: Session): string {
  return typedIn(opened.project().environment, 'sluice worker');
}

function scopeName(session: Session): string {
  const { name, environment } = session.opened.project();
  return scopeOf({ name, environment });
}
