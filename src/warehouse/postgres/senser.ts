import { setTimeout as sleep } from 'node:timers/promises';
import { SENSES, type Reading, type Readings } from '../../core/throttle/types.js';
import type { PgClient, Pool } from '../../postgres/pool.js';
import { createChannel } from './channel.js';
import { createCounts } from './counts.js';
import { DECLARED_MS, senseDeclared } from './sense-declared.js';
import {
  senseArchive,
  senseAutovacuum,
  senseCanary,
  senseCheckpoints,
  senseReplication,
  senseSlots,
  type Sample,
} from './sense-server.js';
import { senseActivity, senseBlocked, STATEMENT_MS, unknown, type Sensed } from './sense.js';

/** What a tick waits for its readings. What comes later counts for the next one; until then the reading before it ages. */
const ROUND_MS = 800;

export interface SenserOptions {
  readonly pool: Pool;
  /** Whether sluice's own tables are there. */
  readonly isWarehouse: boolean;
  /** Queries of `hold_when:`. */
  readonly declared: readonly { readonly name: string; readonly query: string }[];
  /** `application_name` of its connections. */
  readonly name: string;
}

/** The senses of one governor: looks on connections of its own, side by side, so that one that hangs stops no other. */
export interface Senser {
  /** A round of looks, or what is known by then. */
  readonly round: () => Promise<Readings>;
  readonly close: () => void;
}

interface Noted extends Omit<Reading, 'ageMs'> {
  readonly at: number;
}

export function createSenser({ pool, isWarehouse, declared, name }: SenserOptions): Senser {
  const board = new Map<string, Noted>();
  const samples: Sample[] = [];
  let probes: readonly number[] = [];
  let lost = 'not looked at yet';
  const note = (key: string, reading: Omit<Reading, 'ageMs'>): void => {
    board.set(key, { ...reading, at: performance.now() });
  };
  const noteAll = (sensed: Sensed): void => {
    for (const sense of SENSES) if (sensed[sense]) note(sense, sensed[sense]);
  };
  const onLost = (reason: string): void => {
    lost = reason;
  };
  const channel = (timeoutMs: number, look: (client: PgClient) => Promise<void>): ReturnType<typeof createChannel> =>
    createChannel({ pool, name, timeoutMs, look, onLost });
  const counter = channel(STATEMENT_MS, async (client) => {
    const sensed = await senseActivity(client);
    noteAll(sensed);
    for (const sense of SENSES) if (sensed[sense]) counts.add(sense, sensed[sense].value);
  });
  const counts = createCounts(() => counter.run());
  const channels = [
    counter,
    channel(STATEMENT_MS, async (client) => {
      noteAll(await senseBlocked(client));
      const canary = await senseCanary(client);
      probes = [...probes, ...canary.probes];
      noteAll(canary.sensed);
    }),
    channel(STATEMENT_MS, async (client) => {
      noteAll(await senseReplication(client));
      noteAll(await senseSlots(client));
      noteAll(await senseArchive(client));
      noteAll(await senseCheckpoints(client, performance.now(), samples));
      noteAll(await senseAutovacuum(client, isWarehouse));
    }),
    ...declared.map((one) =>
      channel(DECLARED_MS, async (client) => {
        note(declaredKey(one.name), await senseDeclared(client, one.name, one.query));
      }),
    ),
  ];
  const read = (key: string): Reading => {
    const noted = board.get(key);
    if (!noted) return { ...unknown(lost), ageMs: 0 };
    const ageMs = Math.round(performance.now() - noted.at);
    const { value, reason } = noted;
    return { value, reason, ageMs };
  };
  return {
    round: async () => {
      probes = [];
      const timer = new AbortController();
      const late = sleep(ROUND_MS, undefined, { signal: timer.signal }).catch(() => undefined);
      await Promise.race([Promise.all(channels.map(({ run }) => run())), late]);
      timer.abort();
      counts.goOn();
      return {
        sensed: { ...everySense(read), ...counts.take(read) },
        declared: Object.fromEntries(declared.map((one) => [one.name, read(declaredKey(one.name))])),
        probes,
      };
    },
    close: () => {
      counts.close();
      for (const { close } of channels) close();
    },
  };
}

/** Not the name of any sense. */
function declaredKey(name: string): string {
  return `hold_when ${name}`;
}

function everySense(read: (key: string) => Reading): Readings['sensed'] {
  return {
    foreground: read('foreground'),
    ours: read('ours'),
    canary: read('canary'),
    blocked: read('blocked'),
    lag_seconds: read('lag_seconds'),
    lag_bytes: read('lag_bytes'),
    slots_lost: read('slots_lost'),
    archive: read('archive'),
    checkpoints: read('checkpoints'),
    autovacuum: read('autovacuum'),
    connections: read('connections'),
  };
}
