/** Plants a bug: a copy of the build with one thing wrong. */
import { cpSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { bundleWorkflowCode, DefaultLogger } from '@temporalio/worker';
import { plantEdits, type Edit } from '../support/edits.js';
import type { Planned } from './faults.js';
import type { Part } from './project.js';
import { DIST } from './workers.js';

const BUNDLE = 'workflow-bundle.js';

export interface Mutant {
  readonly name: string;
  /** In the build, exactly once: a bug that cannot be planted any more must be planted anew. */
  readonly edits: readonly Edit[];
  /** Of the project, where it shows. */
  readonly part: Part;
  /** What has to happen for it to show; nothing: it shows by itself. `zombies`: the tables end as they should, for the ledger is in the way of whoever comes late, too. */
  readonly faults: readonly Planned[] | 'zombies' | 'zombies of an ended backfill';
}

/** Plants it in a copy of the build, which Node takes for part of the package. Returns the copy's folder. */
export async function plant({ name, edits }: Mutant): Promise<string> {
  const folder = join(DIST, 'mutants', name.replace(/\W+/g, '-'));
  rmSync(folder, { recursive: true, force: true });
  for (const part of ['src', 'workflows', 'activities', BUNDLE]) {
    cpSync(join(DIST, part), join(folder, part), { recursive: true });
  }
  plantEdits(folder, edits);
  if (edits.some(([file]) => /^(workflows|src\/core)\//.test(file))) {
    const workflowsPath = join(folder, 'workflows/index.js');
    const { code } = await bundleWorkflowCode({ workflowsPath, logger: new DefaultLogger('WARN') });
    writeFileSync(join(folder, BUNDLE), code);
  }
  return folder;
}
