import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { misplaced } from '../support/edits.js';
import { compare, openCampaign, type Campaign } from './campaign.js';
import type { Planned } from './faults.js';
import { MUTANTS } from './mutants.js';
import { openTrack } from './run.js';
import type { Lane } from './servers.js';
import { DIST } from './workers.js';

/** A short dose, of faults that are soon recovered from. The long one is `npm run chaos`. */
let campaign: Campaign & { lane: Lane };
before(async () => {
  campaign = await openCampaign(1);
});
after(() => campaign.stop());

const DOSE: readonly Planned[] = [
  { after: 1, fault: 'the answer to COMMIT is lost' },
  { after: 20, fault: 'PostgreSQL stops at once' },
  { after: 60, fault: 'a connection is cut once COMMIT is sent' },
  { after: 110, fault: 'all sessions are ended' },
];

test('lost answers, cut connections, PostgreSQL stopped at once: tables and ledger end as without faults', async () => {
  const { lane, callee, calm } = campaign;
  const track = await openTrack(lane, callee, { name: 'dose' });
  const ran = await track.run({ faults: DOSE }).finally(() => track.stop());
  assert.deepEqual(compare(calm, 0, ran.outcome), []);
  // Without these it would have been a run like any other.
  assert.ok(lane.proxy.count.cut > 0, 'connections were cut');
  assert.ok((ran.seen['failed for a while, and tried again'] ?? 0) > 0, 'something failed');
  assert.ok((ran.seen['commit unknown, and found published'] ?? 0) > 0, 'what was committed was found');
});

const inBuild = (file: string): string => readFileSync(join(DIST, file), 'utf8');

test('every planted bug of the long campaign still has its place in the build', () => {
  assert.deepEqual(
    MUTANTS.map(({ name, edits }) => [name, misplaced(edits, inBuild)] as const).filter(
      ([, wrong]) => wrong.length !== 0,
    ),
    [],
  );
});
