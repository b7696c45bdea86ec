import { dirname, join } from 'node:path';

/** What all workflows of a worker share, instead of each executing its own copy: libraries and schemas, which keep no state. */
export function sharedModules(workflowsPath: string): string[] {
  return ['zod', 'temporal-polyfill', join(dirname(workflowsPath), 'preload.js')];
}
