import { createServer, type Server } from 'node:net';

/**
 * Free TCP ports on 127.0.0.1, all different: each the one that is wished, where nothing has it, else any.
 *
 * They are free when asked, not reserved: another program may take one before it is used. Whoever starts a server on
 * one must be ready to try again with another.
 */
export async function freePorts(count: number, wished: readonly (number | undefined)[] = []): Promise<number[]> {
  const servers: Server[] = [];
  const wishes = Array.from({ length: count }, (_, index) => wished[index]);
  try {
    // All are held at once, so that no two are the same, and those that are wished first, so that no other gets one.
    const had = await Promise.all(wishes.map(async (port) => (port === undefined ? undefined : held(port, servers))));
    return await Promise.all(had.map(async (port) => port ?? (await held(0, servers)) ?? fail()));
  } finally {
    await Promise.all(servers.map((server) => new Promise((closed) => server.close(closed))));
  }
}

/** The port, 0 for any; undefined where it cannot be had. */
function held(port: number, servers: Server[]): Promise<number | undefined> {
  const server = createServer();
  return new Promise((resolve) => {
    server.once('error', () => {
      resolve(undefined);
    });
    server.listen(port, '127.0.0.1', () => {
      servers.push(server);
      const address = server.address();
      resolve(address === null || typeof address === 'string' ? undefined : address.port);
    });
  });
}

function fail(): never {
  throw new Error('no port of this machine is free');
}
