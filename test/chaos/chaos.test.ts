import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { compare, reference } from './campaign.js';
import type { FaultName } from './faults.js';
import { carryOut, type Ran } from './run.js';
import { startServers, type Servers } from './servers.js';

/** A short dose: two runs whose faults are soon recovered from. The long one is `npm run chaos`. */
let servers: Servers;
let calm: Ran;
before(async () => {
  servers = await startServers();
  calm = await reference(servers);
});
after(() => servers.stop());

const DOSES: Readonly<Record<string, readonly (readonly [after: number, fault: FaultName])[]>> = {
  'lost answers and cut connections': [
    [1, 'the answer to COMMIT is lost'],
    [30, 'a connection is cut once COMMIT is sent'],
    [80, 'a connection is cut before a message'],
    [140, 'the answer to COMMIT is lost'],
  ],
  'PostgreSQL stops at once, twice': [
    [20, 'PostgreSQL stops at once'],
    [120, 'kill -9 of PostgreSQL'],
    [120, 'all sessions are ended'],
  ],
};

for (const [what, faults] of Object.entries(DOSES)) {
  test(`${what}: tables and ledger end as without faults`, async () => {
    const before = servers.proxy.cut();
    const name = what.replace(/\W+/g, '_').toLowerCase();
    const ran = await carryOut({ servers, name, faults: faults.map(([from, fault]) => ({ after: from, fault })) });
    assert.deepEqual(compare(calm.outcome, ran), []);
    // Without these it would have been a run like any other.
    assert.ok((ran.seen['failed for a while, and tried again'] ?? 0) > 0, 'something failed');
    if (what.startsWith('lost')) assert.ok(servers.proxy.cut() > before, 'connections were cut');
  });
}
