import { once } from 'node:events';
import { connect, createServer, type Http2Session, type IncomingHttpHeaders } from 'node:http2';
import type { AddressInfo } from 'node:net';

/** A way to a Temporal server on which some of its calls are refused, in the words and with the code of the server; all others are passed on. */
export interface Refusing {
  readonly address: string;
  /** By the end of the call's path: `UpdateTaskQueueConfig`. */
  readonly refuse: (calls: readonly string[]) => void;
  /** How often each was refused. */
  readonly refused: ReadonlyMap<string, number>;
  readonly close: () => void;
}

/** UNKNOWN of gRPC, and what a server of Temporal says with it where a killed worker's change is half done. */
const [CODE, WORDS] = ['2', 'Expected exactly one row to be updated'];

export async function refusingWay(to: string): Promise<Refusing> {
  let calls: readonly string[] = [];
  const refused = new Map<string, number>();
  const sessions = new Set<Http2Session>();
  const server = createServer();
  server.on('session', (near) => {
    const far = connect(`http://${to}`);
    for (const session of [near, far]) {
      sessions.add(session);
      session.on('error', () => undefined).on('close', () => sessions.delete(session));
    }
    near.on('close', () => {
      far.destroy();
    });
    near.on('stream', (stream, headers) => {
      stream.on('error', () => undefined);
      const call = String(headers[':path']).split('/').at(-1) ?? '';
      if (calls.includes(call)) {
        refused.set(call, (refused.get(call) ?? 0) + 1);
        stream.resume();
        stream.respond(
          { ':status': 200, 'content-type': 'application/grpc', 'grpc-status': CODE, 'grpc-message': WORDS },
          { endStream: true },
        );
        return;
      }
      const there = far.request(headers);
      there.on('error', () => stream.close());
      stream.pipe(there);
      stream.on('close', () => {
        there.close();
      });
      there.on('response', (answer) => {
        stream.respond(answer, { waitForTrailers: true });
        let trailers: IncomingHttpHeaders = {};
        there.on('trailers', (last) => (trailers = last));
        stream.on('wantTrailers', () => {
          stream.sendTrailers(trailers);
        });
        there.pipe(stream);
      });
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    address: `127.0.0.1:${port}`,
    refuse: (some) => {
      calls = some;
    },
    refused,
    close: () => {
      for (const session of sessions) session.destroy();
      server.close();
    },
  };
}
