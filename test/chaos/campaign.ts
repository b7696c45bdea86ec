import { random } from '../support/random.js';
import { chooseFaults, type Planned } from './faults.js';
import { differences, type Outcome } from './oracle.js';
import { carryOut, type Ran } from './run.js';
import type { Servers } from './servers.js';

/** The project carried out without a fault: what every other run must come to. */
export async function reference(servers: Servers, name = 'calm'): Promise<Ran> {
  return carryOut({ servers, name });
}

/**
 * What of a run's outcome hangs on its name: nothing. The ledger has no project in it, and sources are alike.
 * @returns where it differs from the reference; empty where it is the same
 */
export function compare(calm: Outcome, ran: Ran): string[] {
  return differences(calm, ran.outcome);
}

/** The faults of a seed, and the choices that are left to them. */
export function faultsOf(seed: number, partitions: number): { faults: Planned[]; next: () => number } {
  const next = random(seed);
  return { faults: chooseFaults(next, partitions), next };
}

export function describe(faults: readonly Planned[]): string {
  return faults.map(({ fault, after }) => `${after}: ${fault}`).join('; ');
}
