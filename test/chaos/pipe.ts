import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

/**
 * A TCP proxy that only passes on. Cut off, the server sees its connections end, so that it gives no more tasks to who is behind them; whoever is
 * there sees nothing, and connects again to nobody.
 */
export interface Pipe {
  readonly port: number;
  readonly cutOff: () => void;
  /** Ends what was cut off: who talks through it connects again. */
  readonly heal: () => void;
  readonly close: () => void;
}

export async function startPipe(toPort: number): Promise<Pipe> {
  const sockets = new Set<Socket>();
  const far = new Set<Socket>();
  let isCutOff = false;
  const listener = createServer((near) => {
    sockets.add(near);
    if (isCutOff) return void near.on('error', () => undefined).on('close', () => sockets.delete(near));
    const server = connect({ host: '127.0.0.1', port: toPort, noDelay: true });
    far.add(server);
    for (const [from, to] of [
      [near, server],
      [server, near],
    ] as const) {
      sockets.add(from);
      from.setNoDelay(true);
      from.on('data', (chunk) => {
        if (!isCutOff) to.write(chunk);
      });
      const end = (): void => {
        if (!isCutOff) to.destroy();
      };
      from.on('error', end).on('close', () => {
        for (const set of [sockets, far]) set.delete(from);
        end();
      });
    }
  });
  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const endAll = (): void => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    port: (listener.address() as AddressInfo).port,
    cutOff: () => {
      isCutOff = true;
      for (const socket of far) socket.destroy();
    },
    heal: () => {
      isCutOff = false;
      endAll();
    },
    close: () => {
      endAll();
      listener.close();
    },
  };
}
