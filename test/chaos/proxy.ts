import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { databaseOf, messageReader, sliceBegun, sliceOver, type Message } from './wire.js';

/** A message that is about to be passed on. */
export interface Passing {
  readonly message: Message;
  readonly from: 'worker' | 'server';
  readonly database: string;
  /** `sluice/<epoch>/<slice>/<attempt>/<dataset>` of the slice that works on this connection. */
  readonly slice: string | undefined;
  /** Its number, from 1, among those of this slice that came over this connection from this side. */
  readonly nth: number;
}

/**
 * `stall`: nothing of this connection is passed on any more, in either direction, until `heal`, which ends it. `forget_worker`,
 * `forget_server`: the same, but that side is gone at once, and the other one is told nothing of it.
 */
export type Verdict = 'pass' | 'cut_before' | 'cut_after' | 'stall' | 'forget_worker' | 'forget_server';

export type Judge = (passing: Passing) => Verdict;

/** A TCP proxy before PostgreSQL, which reads the protocol and does to each message what the first judge says that does not let it pass. */
export interface Proxy {
  readonly port: number;
  readonly judges: Set<Judge>;
  /** Connections that were cut; stalled; stalled with one side gone, so far. */
  readonly count: Readonly<Record<'cut' | 'stalled' | 'halved', number>>;
  /** Ends what a judge has stalled, and the judge's office; without one, of all of them. */
  readonly heal: (judge?: Judge) => void;
  readonly close: () => Promise<void>;
}

/** One connection through the proxy. */
interface Link {
  readonly worker: Socket;
  readonly server: Socket;
  database: string;
  slice: string | undefined;
  stalledBy: Judge | undefined;
  /** Messages of the slice at work so far. */
  readonly seen: { worker: number; server: number };
}

export async function startProxy(toPort: number): Promise<Proxy> {
  const links = new Set<Link>();
  const count = { cut: 0, stalled: 0, halved: 0 };
  const judges = new Set<Judge>();
  const listener = createServer((worker) => {
    const server = connect({ host: '127.0.0.1', port: toPort, noDelay: true });
    worker.setNoDelay(true);
    const link: Link = {
      ...{ worker, server, database: '', slice: undefined, stalledBy: undefined },
      seen: { worker: 0, server: 0 },
    };
    links.add(link);
    const end = (): void => {
      // Of one that is stalled nobody hears anything, not even its end.
      if (link.stalledBy) return;
      links.delete(link);
      // What was written before the other side went is still delivered.
      worker.destroySoon();
      server.destroySoon();
    };
    for (const socket of [worker, server]) socket.on('error', end).on('close', end);
    for (const from of ['worker', 'server'] as const) {
      const read = messageReader(from === 'worker' ? 1 : 0);
      link[from].on('data', (chunk: Buffer) => {
        for (const message of read(chunk)) passOn(link, message, from);
      });
    }
  });
  const passOn = (link: Link, message: Message, from: 'worker' | 'server'): void => {
    const to = from === 'worker' ? link.server : link.worker;
    if (link.stalledBy || to.destroyed || to.writableEnded) return;
    notice(link, message, from);
    const { database, slice, seen } = link;
    const { verdict, judge } = judgement(judges, { message, from, database, slice, nth: seen[from] });
    if (from === 'worker' && sliceOver(message)) link.slice = undefined;
    if (verdict === 'pass') to.write(message.bytes);
    else if (verdict === 'cut_before' || verdict === 'cut_after') {
      count.cut++;
      link[from].destroy();
      // What the other side gets last is all there is: it must not be lost with a reset.
      if (verdict === 'cut_after') to.end(message.bytes);
      else to.destroy();
    } else {
      count[verdict === 'stall' ? 'stalled' : 'halved']++;
      link.stalledBy = judge;
      if (verdict === 'forget_worker') link.worker.destroy();
      if (verdict === 'forget_server') link.server.destroy();
    }
  };
  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const endAll = (which: (link: Link) => boolean): void => {
    for (const link of [...links].filter(which)) {
      links.delete(link);
      link.worker.destroy();
      link.server.destroy();
    }
  };
  return {
    port: (listener.address() as AddressInfo).port,
    judges,
    count,
    heal: (judge) => {
      if (judge) judges.delete(judge);
      else judges.clear();
      endAll(({ stalledBy }) => stalledBy !== undefined && (judge === undefined || stalledBy === judge));
    },
    close: async () => {
      endAll(() => true);
      listener.close();
      await once(listener, 'close');
    },
  };
}

function judgement(judges: ReadonlySet<Judge>, passing: Passing): { verdict: Verdict; judge?: Judge } {
  for (const judge of judges) {
    const verdict = judge(passing);
    if (verdict !== 'pass') return { verdict, judge };
  }
  return { verdict: 'pass' };
}

/** Whose messages these are, and which number this one has. */
function notice(link: Link, message: Message, from: 'worker' | 'server'): void {
  // A lane numbers its databases, which its judges need not know.
  if (message.type === 'startup') link.database = databaseOf(message).replace(/_\d+$/, '');
  const begun = from === 'worker' ? sliceBegun(message) : undefined;
  if (begun !== undefined) {
    link.slice = begun;
    Object.assign(link.seen, { worker: 0, server: 0 });
  }
  link.seen[from]++;
}
