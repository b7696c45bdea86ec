import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

/** A TCP proxy that only passes on; cut off, it keeps its connections and passes nothing. */
export interface Pipe {
  readonly port: number;
  readonly cutOff: () => void;
  /** Ends what was cut off: who talks through it connects again. */
  readonly heal: () => void;
  readonly close: () => void;
}

export async function startPipe(toPort: number): Promise<Pipe> {
  const sockets = new Set<Socket>();
  let isCutOff = false;
  const listener = createServer((near) => {
    const far = connect({ host: '127.0.0.1', port: toPort, noDelay: true });
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(from);
      from.setNoDelay(true);
      from.on('data', (chunk) => {
        if (!isCutOff) to.write(chunk);
      });
      from.on('error', () => to.destroy());
      from.on('close', () => {
        sockets.delete(from);
        to.destroy();
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
