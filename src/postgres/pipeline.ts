import { allEnded } from '../contracts/all-ended.js';
import type { PgClient } from './pool.js';

/**
 * Sends the queries of all `steps` at once and takes their answers in order: one round trip instead of one each. They must be of one
 * transaction, because each is sent before the one before it has answered: after a failure the server refuses the rest.
 *
 * @throws what the first step that failed did, when all have answered
 */
export async function inOneFlight(client: PgClient, steps: readonly (() => Promise<unknown>)[]): Promise<void> {
  // pg's own pipeline mode; it refuses COPY, so it is on for these only.
  Object.assign(client, { pipeline: true });
  try {
    await allEnded(steps.map((step) => step()));
  } finally {
    Object.assign(client, { pipeline: false });
  }
}
