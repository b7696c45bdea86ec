import { Client, Connection } from '@temporalio/client';
import type { Lane } from './servers.js';

/** A client of a lane's Temporal server, for as long as the work takes. */
export async function withTemporal<T>({ stack }: Lane, work: (client: Client) => Promise<T>): Promise<T> {
  const connection = await Connection.connect({ address: stack.dev.info().temporalAddress });
  try {
    return await work(new Client({ connection }));
  } finally {
    await connection.close();
  }
}
