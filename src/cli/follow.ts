import { isAtRest, type BackfillStatus } from '../contracts/status.js';
import type { Io } from './io.js';
import { sluice } from './render/command.js';
import { NOTHING_TOLD, plainLines } from './render/plain.js';
import { progressLines } from './render/progress.js';
import { metered, NO_RATE } from './render/rate.js';
import { statusLines } from './render/status.js';
import { brokenRows } from './render/text.js';
import { zoneLine } from './render/times.js';
import type { Session } from './session.js';
import { answerOf, SILENT_MS, silenceLine } from './wait.js';
import { limitsShown, type LimitShown } from './warehouse.js';

export const EXIT = { done: 0, failed: 3, cancelled: 4, timeout: 5, interrupted: 130 } as const;

/** Between two looks at a backfill: each costs its worker and the server 20 ms, which a machine that nobody watches keeps for the work. */
const LOOK_MS = { live: 400, otherwise: 1_000 } as const;

export interface FollowOptions {
  /** `lines`: one document a line, as it changes; `last`: only the final one. */
  readonly json: 'lines' | 'last' | false;
  readonly timeoutMs?: number | undefined;
}

/** Follows a backfill until it has ended or is held; or the exit code of why it stopped looking. */
export async function follow(
  io: Io,
  session: Session,
  id: string,
  { json, timeoutMs = Infinity }: FollowOptions,
): Promise<BackfillStatus | number> {
  const { environment } = session.opened.project();
  const show = await shower(io, json, session);
  const lookMs = io.isTerminal && json === false ? LOOK_MS.live : LOOK_MS.otherwise;
  const ended = endOf(session, id);
  const until = io.now() + timeoutMs;
  let answeredAt = io.now();
  let said = false;
  let seen: BackfillStatus | undefined;
  const interrupted = io.interruptible();
  const letGo = new Promise((done) => {
    interrupted.addEventListener('abort', done, { once: true });
  });
  for (;;) {
    const status = await answerOf(session, id);
    if (status === undefined && !said && io.now() - answeredAt > SILENT_MS) {
      io.err(silenceLine(session));
      said = true;
    }
    if (status !== undefined) {
      answeredAt = io.now();
      said = false;
      seen = status;
      show.next(status);
      if (isAtRest(status)) {
        show.last(status);
        return status;
      }
    }
    const over = interrupted.aborted ? EXIT.interrupted : io.now() > until ? EXIT.timeout : undefined;
    if (over !== undefined) {
      const name = seen?.id ?? id;
      io.err(
        `${interrupted.aborted ? '\nlet go' : '--timeout has passed'}: backfill ${name} goes on. Look again: ${sluice(['watch', name], environment)}\n`,
      );
      if (seen !== undefined) show.unfinished(seen);
      return over;
    }
    await Promise.race([ended, letGo, new Promise((done) => setTimeout(done, lookMs))]);
  }
}

/** Settles when the backfill has ended, which one long poll tells without looking again and again. */
async function endOf(session: Session, id: string): Promise<void> {
  const client = await session.client();
  await client.result(id).catch(() => undefined);
}

interface Shower {
  readonly next: (status: BackfillStatus) => void;
  readonly last: (status: BackfillStatus) => void;
  /** Nobody looks any longer, and it goes on. */
  readonly unfinished: (status: BackfillStatus) => void;
}

async function shower(io: Io, json: FollowOptions['json'], session: Session): Promise<Shower> {
  if (json === 'lines') return jsonLines(io);
  if (json === 'last') {
    const write = (status: BackfillStatus): void =>
      io.out(`${JSON.stringify(io.placed(status), null, 2)}
`);
    return { next: () => undefined, last: write, unfinished: write };
  }
  if (!io.isTerminal) return plain(io);
  // Only where there is a terminal: it takes 70 ms to load.
  const { default: logUpdate } = await import('log-update');
  return live(io, logUpdate, session);
}

function jsonLines(io: Io): Shower {
  let before = '';
  return {
    next: (status) => {
      const line = JSON.stringify(io.placed(status));
      if (line !== before) io.out(`${line}\n`);
      before = line;
    },
    last: () => undefined,
    unfinished: () => undefined,
  };
}

function live(
  io: Io,
  logUpdate: { (text: string): void; clear: () => void; done: () => void },
  session: Session,
): Shower {
  let meter = NO_RATE;
  let drawn: readonly string[] = [];
  let limits: readonly LimitShown[] = [];
  const look = async (): Promise<void> => {
    limits = await limitsShown(session.opened).catch(() => []);
  };
  return {
    next: (status) => {
      meter = metered(meter, status, io.now());
      const screen = io.screen();
      // What is shown is a look old; a warehouse that does not answer must not stop the display.
      void look();
      const broken = brokenRows(drawn, screen.width);
      if (broken > 0) {
        logUpdate.clear();
        io.out(`\u001b[${broken}A\u001b[J`);
      }
      const text = io.text(progressLines(status, meter, { ...screen, height: screen.height - 1 }, limits).join('\n'));
      drawn = text.split('\n');
      logUpdate(text);
    },
    last: () => {
      logUpdate.done();
    },
    unfinished: () => {
      logUpdate.done();
    },
  };
}

function plain(io: Io): Shower {
  let told = NOTHING_TOLD;
  return {
    next: (status) => {
      if (told === NOTHING_TOLD) io.out(`${zoneLine(io.screen())}\n`);
      const { state, lines } = plainLines(told, status, io.screen());
      told = state;
      for (const line of lines) io.out(`${line}\n`);
    },
    last: (status) => {
      // Its warnings were said as they came.
      io.out(`${statusLines({ ...status, warnings: [] }, io.screen()).join('\n')}\n`);
    },
    unfinished: () => undefined,
  };
}

/** CONTRACT §3's exit code of an ended or held backfill. What a person skipped is not done: whoever waits for all of it must not be content. */
export function exitCodeOf({ state, partitions }: BackfillStatus): number {
  if (state === 'completed') return partitions.skipped === 0 ? EXIT.done : EXIT.failed;
  if (state === 'cancelled') return EXIT.cancelled;
  return state === 'failed' && partitions.failed + partitions.blocked === 0 ? 1 : EXIT.failed;
}
