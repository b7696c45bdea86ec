import type { PgClient, Pool } from '../../postgres/pool.js';
import { faultOf } from '../../postgres/error.js';

/** A connection of a governor's own, on which looks follow one another. */
export interface Channel {
  /** Begins a round of looks, unless the one before still hangs. Never throws. */
  readonly run: () => Promise<void>;
  readonly close: () => void;
}

export interface ChannelOptions {
  readonly pool: Pool;
  /** `application_name`: ours, so that nobody takes it for the warehouse's own work. */
  readonly name: string;
  /** A statement is cut off after it. */
  readonly timeoutMs: number;
  readonly look: (client: PgClient) => Promise<void>;
  /** There is no connection: why. */
  readonly onLost: (reason: string) => void;
}

/** Opens its connection with the first round, and again after it was lost. */
export function createChannel({ pool, name, timeoutMs, look, onLost }: ChannelOptions): Channel {
  let client: PgClient | undefined;
  let busy = false;
  const closing = new AbortController();
  const closed = (): boolean => closing.signal.aborted;
  const drop = (): void => {
    client?.release(true);
    client = undefined;
  };
  const open = async (): Promise<PgClient> => {
    const opened = await pool.acquire();
    try {
      await opened.query(
        `SELECT set_config('application_name', $1, false), set_config('statement_timeout', $2, false), set_config('lock_timeout', $2, false)`,
        [name, `${timeoutMs}ms`],
      );
    } catch (error) {
      opened.release(true);
      throw error;
    }
    opened.once('end', () => {
      if (client === opened) drop();
    });
    return opened;
  };
  return {
    run: async () => {
      if (busy || closed()) return;
      busy = true;
      try {
        client ??= await open();
        await look(client);
      } catch (error) {
        drop();
        onLost(faultOf(error, 'warehouse').message);
      } finally {
        busy = false;
        if (closed()) drop();
      }
    },
    close: () => {
      closing.abort();
      drop();
    },
  };
}
