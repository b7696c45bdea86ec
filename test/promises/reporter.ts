/** Of what a test runner tells: a line of JSON for each test that ran, and for each file or suite that failed beside its tests. */
import type { TestEvent } from 'node:test/reporters';
import { z } from 'zod';

/** What became of one test. `own`: by what it says itself, not by a hook, an import or a test within. */
export const Outcome = z.object({ name: z.string(), passed: z.boolean(), own: z.boolean(), why: z.string() });
export type Outcome = z.infer<typeof Outcome>;

/** How Node calls a failure that is in the test itself. */
const OWN = new Set(['testCodeFailure', 'testTimeoutFailure']);

interface Failure {
  readonly failureType?: string;
  readonly message: string;
  readonly cause?: unknown;
}

function outcomeOf(event: TestEvent): Outcome | undefined {
  if (event.type === 'test:pass') {
    const { name, skip, details } = event.data;
    return details.type === 'suite' || skip !== undefined ? undefined : { name, passed: true, own: true, why: '' };
  }
  if (event.type !== 'test:fail') return undefined;
  const { name, details } = event.data;
  const { failureType = '', message, cause }: Failure = details.error;
  if (failureType === 'subtestsFailed') return undefined;
  const own = details.type !== 'suite' && !name.endsWith('.test.ts') && OWN.has(failureType);
  return { name, passed: false, own, why: cause instanceof Error ? cause.message : message };
}

export default async function* reporter(events: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  for await (const event of events) {
    const outcome = outcomeOf(event);
    if (outcome) yield `${JSON.stringify(outcome)}\n`;
  }
}
