import assert from 'node:assert/strict';
import { test } from 'node:test';
import { stripVTControlCharacters } from 'node:util';
import fc from 'fast-check';
import { BackfillStatus, BACKFILL_STATES, DatasetState } from '../../src/contracts/status.js';
import { graphLines } from '../../src/cli/render/graph.js';
import { listLines } from '../../src/cli/render/list.js';
import { NOTHING_TOLD, plainLines } from '../../src/cli/render/plain.js';
import { progressLines } from '../../src/cli/render/progress.js';
import { metered, NO_RATE } from '../../src/cli/render/rate.js';
import { statusLines } from '../../src/cli/render/status.js';
import { visibleWidth } from '../../src/cli/render/text.js';
import type { Screen } from '../../src/cli/render/text.js';
import { whyLines } from '../../src/cli/render/why.js';
import type { WhyNode } from '../../src/cli/render/why.js';
import { NOW } from './support/statuses.js';

const name = fc.oneof(
  fc.stringMatching(/^[a-z][a-z_0-9]{0,40}$/),
  fc.string({ unit: 'grapheme', minLength: 1, maxLength: 30 }),
);
const text = fc.oneof(fc.lorem(), fc.string({ unit: 'binary', maxLength: 300 }), fc.constant(''));
const count = fc.oneof(fc.nat(400), fc.nat());
const instant = fc.oneof(
  fc.date({ min: new Date(0), max: new Date('2100-01-01'), noInvalidDate: true }).map((date) => date.toISOString()),
  fc.constantFrom('2013-03-10T00:00:00Z', '-infinity', 'infinity'),
);
const failure = fc.record({ start: instant, end: instant, code: name, message: text, attempts: fc.nat(50) });
const counts = { total: count, done: count, failed: count, blocked: count, skipped: count };
const oneDataset = fc.record(
  {
    name,
    ...counts,
    state: fc.constantFrom(...DatasetState.options),
    running: fc.nat(20),
    rows: count,
    failureCount: count,
    failures: fc.array(failure, { maxLength: 20 }),
    waitingFor: text,
    needs: fc.array(name, { maxLength: 5 }),
  },
  {
    requiredKeys: [
      'name',
      'total',
      'done',
      'failed',
      'blocked',
      'skipped',
      'state',
      'running',
      'rows',
      'failureCount',
      'failures',
      'needs',
    ],
  },
);
/** Every status that the contract allows, likely or not; the schema fills its defaults in. */
const status = fc
  .record(
    {
      id: name,
      project: name,
      environment: fc.constantFrom('default', 'prod'),
      state: fc.constantFrom(...BACKFILL_STATES),
      reason: text,
      startedAt: instant,
      endedAt: fc.option(instant),
      partitions: fc.record(counts),
      rows: count,
      waiting: fc.record({ for: text, since: instant, next: text }),
      warnings: fc.array(fc.record({ dataset: name, code: name, message: text }), { maxLength: 4 }),
      datasets: fc.array(oneDataset, { maxLength: 40 }),
    },
    {
      requiredKeys: [
        'id',
        'project',
        'environment',
        'state',
        'reason',
        'startedAt',
        'endedAt',
        'partitions',
        'rows',
        'warnings',
        'datasets',
      ],
    },
  )
  .map((one) => BackfillStatus.parse(one));
const screens = fc.record({
  width: fc.integer({ min: 20, max: 220 }),
  height: fc.integer({ min: 1, max: 60 }),
  color: fc.boolean(),
  now: fc.constant(NOW),
});

function fits(lines: readonly string[], { width }: Screen): void {
  for (const line of lines) {
    const bare = stripVTControlCharacters(line);
    assert.ok(visibleWidth(bare) <= width, `${visibleWidth(bare)} > ${width}: ${JSON.stringify(bare)}`);
    assert.doesNotMatch(bare, /\p{Cc}/u, 'a control character reached the terminal');
  }
}

test('the live display is never wider or higher than the screen, whatever the status', () => {
  fc.assert(
    fc.property(fc.array(status, { minLength: 1, maxLength: 3 }), screens, (statuses, screen) => {
      const meter = statuses.reduce((before, one, index) => metered(before, one, NOW + index * 1500), NO_RATE);
      const lines = progressLines(statuses.at(-1)!, meter, screen);
      assert.ok(lines.length <= screen.height);
      fits(lines, screen);
    }),
    { numRuns: 150 },
  );
});

test('status, list and plain lines never throw; status and list are never wider than the screen', () => {
  fc.assert(
    fc.property(status, status, screens, (one, other, screen) => {
      fits(statusLines(one, screen), screen);
      fits(listLines([one, other], screen), screen);
      const first = plainLines(NOTHING_TOLD, one, { now: NOW });
      fits([...first.lines, ...plainLines(first.state, other, { now: NOW + 1 }).lines], { ...screen, width: Infinity });
    }),
    { numRuns: 100 },
  );
});

/** Causes of causes, `depth` levels of them. */
function why(depth: number): fc.Arbitrary<WhyNode> {
  return fc.record(
    {
      dataset: name,
      interval: fc.record({ start: instant, end: instant }),
      state: fc.constantFrom('published', 'stale', 'failed'),
      cause: text,
      next: text,
      inputs: depth === 0 ? fc.constant([]) : fc.array(why(depth - 1), { maxLength: 2 }),
    },
    { requiredKeys: ['dataset', 'interval', 'state', 'cause', 'inputs'] },
  );
}

test('why and graph fit the screen, however deep', () => {
  fc.assert(
    fc.property(why(4), fc.nat(40), screens, (node, deeper, screen) => {
      const root = Array.from({ length: deeper }).reduce<WhyNode>((inner) => ({ ...node, inputs: [inner] }), node);
      fits(whyLines(root, screen), screen);
    }),
    { numRuns: 100 },
  );
  const chain = Array.from({ length: 60 }, (_, i) => ({
    name: `d${i}`,
    kind: 'transform' as const,
    grain: 'day',
    zone: i % 7 === 0 ? 'Asia/Tokyo' : 'UTC',
    needs: Array.from({ length: Math.min(i, 12) }, (_unused, k) => ({
      dataset: `d${i - 1 - k}`,
      mapping: 'lookback 6d',
    })),
  }));
  fc.assert(
    fc.property(screens, (screen) => {
      const lines = graphLines(chain, screen);
      fits(lines, screen);
      assert.ok(lines.length >= chain.length);
    }),
    { numRuns: 50 },
  );
});
