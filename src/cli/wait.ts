import { RequestError, SystemError } from '../contracts/errors.js';
import { typedIn } from '../contracts/typed.js';
import type { BackfillStatus } from '../contracts/status.js';
import { scopeOf } from '../project/project.js';
import type { Io } from './io.js';
import type { Session } from './session.js';

/** How long nobody may answer before it is said, and before the command gives up. */
const SAY_MS = 5_000;
const GIVE_UP_MS = 60_000;
const LOOK_MS = 100;
/** How long one look waits for an answer. */
const ANSWER_MS = 2_000;

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
    if (status?.waiting) return status;
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
export async function answerOf(session: Session, id: string): Promise<BackfillStatus | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const silence = new Promise<undefined>((done) => (timer = setTimeout(done, ANSWER_MS, undefined)));
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

function scopeName(session: Session): string {
  const { name, environment } = session.opened.project();
  return scopeOf({ name, environment });
}

/** No worker polls the workflow queue: the query waits in vain. */
function isNobody(error: unknown): boolean {
  const text = error instanceof Error ? `${error.message} ${String(error.cause)}` : String(error);
  return /no poller|DEADLINE_EXCEEDED|deadline exceeded|FAILED_PRECONDITION|Timeout expired|Unexpected error.*query/i.test(
    text,
  );
}
