import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { compare, reference } from './campaign.js';
import type { Planned } from './faults.js';
import { misplaced, MUTANTS } from './mutants.js';
import { carryOut, type Ran } from './run.js';
import { startServers, type Servers } from './servers.js';

/** A short dose, of faults that are soon recovered from. The long one is `npm run chaos`. */
let servers: Servers;
let calm: Ran;
before(async () => {
  servers = await startServers();
  calm = await reference(servers);
});
after(() => servers.stop());

const DOSE: readonly Planned[] = [
  { after: 1, fault: 'the answer to COMMIT is lost' },
  { after: 20, fault: 'PostgreSQL stops at once' },
  { after: 60, fault: 'a connection is cut once COMMIT is sent' },
  { after: 140, fault: 'all sessions are ended' },
];

test('lost answers, cut connections, PostgreSQL stopped at once: tables and ledger end as without faults', async () => {
  const ran = await carryOut({ servers, name: 'dose', faults: DOSE });
  assert.deepEqual(compare(calm.outcome, ran), []);
  // Without these it would have been a run like any other.
  assert.ok(servers.proxy.cut() > 0, 'connections were cut');
  assert.ok((ran.seen['failed for a while, and tried again'] ?? 0) > 0, 'something failed');
  assert.ok((ran.seen['found published by an attempt before'] ?? 0) > 0, 'what was committed was found');
});

test('every planted bug of the long campaign still has its place in the build', () => {
  assert.deepEqual(
    MUTANTS.map((mutant) => [mutant.name, misplaced(mutant)]).filter(([, edits]) => edits?.length !== 0),
    [],
  );
});
