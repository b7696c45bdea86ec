import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { join } from 'node:path';
import { z } from 'zod';

export const ROOT = fileURLToPath(new URL('..', import.meta.url));

/** Folders of tests that need no server, which run in one process: {@link PURE}. */
export const FOLDERS = ['architecture', 'cli', 'core', 'project'];
const PURE = 'test/pure.ts';

/**
 * Files of `npm run test:faults`: they kill, starve or freeze what they run on, wait for a time-out that is the subject, or need minutes of two cores. Each
 * promise of docs/guarantees.md has a witness among the others too.
 */
const FAULTS: ReadonlySet<string> = new Set(
  [
    ...['chaos/chaos', 'e2e/aside', 'e2e/breaker', 'e2e/changes', 'e2e/crowd', 'e2e/deploys', 'e2e/governor'],
    ...['e2e/governor-faults', 'e2e/governor-stops', 'e2e/large', 'e2e/package', 'e2e/reliability-faults'],
    ...['e2e/reliability-kill', 'e2e/restarts', 'e2e/tls', 'e2e/tracing', 'e2e/unanswered', 'e2e/worker-start'],
  ].map((name) => `test/${name}.test.ts`),
);

export const Tier = z.enum(['first', 'faults', 'all']);

/** Test files of a tier, from the repository's root. */
export function filesOf(tier: z.infer<typeof Tier>): string[] {
  const files = readdirSync(join(ROOT, 'test'), { recursive: true, encoding: 'utf8' })
    .map((file) => `test/${file}`)
    .filter((file) => file.endsWith('.test.ts') && !FOLDERS.some((folder) => file.startsWith(`test/${folder}/`)));
  const chosen = files.filter((file) => tier === 'all' || FAULTS.has(file) === (tier === 'faults')).sort();
  return tier === 'faults' ? chosen : [PURE, ...chosen];
}
