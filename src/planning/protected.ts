import { RequestError } from '../contracts/errors.js';
import type { Project } from '../project/project.js';
import { deployedDefinition } from '../store/definitions.js';
import type { Db } from '../store/store.js';

/**
 * A protected environment carries out what its workers deploy, and nothing else.
 * @throws RequestError protected_environment
 */
export async function requireDeployed(db: Db, { name, environment, hash }: Project): Promise<void> {
  const deployed = await deployedDefinition(db, { project: name, environment });
  if (deployed === hash) return;
  throw new RequestError(
    'protected_environment',
    deployed === undefined
      ? `environment ${environment} is protected, and nothing is deployed there yet`
      : `environment ${environment} is protected: it carries out ${shortHash(deployed)}, which its workers deploy, not ${shortHash(hash)}`,
    deployed === undefined
      ? `deploy this folder: start its worker (sluice worker -e ${environment})`
      : 'deploy it first, or carry out what is deployed with --deployed',
  );
}

/** Enough of a definition's hash to tell it from others; `sluice.definitions` has all of it. */
export function shortHash(hash: string): string {
  return hash.slice(0, 12);
}
