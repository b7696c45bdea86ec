import { random } from '../support/random.js';
import { startCallee, type Callee } from './calls.js';
import { chooseFaults, type Planned } from './faults.js';
import { differences, type Outcome } from './oracle.js';
import { PARTS, type Part } from './project.js';
import { openTrack, type Ran } from './run.js';
import { startServers, type Lane, type Servers } from './servers.js';

/** What a campaign has: servers, a worker for calls, and what a project comes to without faults, by its number of builds. */
export interface Campaign {
  readonly servers: Servers;
  readonly callee: Callee;
  /** The first build; odd ones; even ones. */
  readonly calm: readonly Ran[];
  readonly stop: () => Promise<void>;
}

/** Starts them, and builds a project without a fault, so many times. */
export async function openCampaign(builds = 3): Promise<Campaign & { lane: Lane }> {
  const servers = await startServers();
  try {
    const callee = await startCallee(servers.stack.dev.info().temporalAddress);
    const lane = await servers.lane();
    const track = await openTrack(lane, callee, { name: 'calm' });
    const calm: Ran[] = [];
    while (track.build() < builds) calm.push(await track.run());
    await track.stop();
    const stop = async (): Promise<void> => {
      await callee.stop();
      await servers.stop();
    };
    return { servers, callee, calm, lane, stop };
  } catch (error) {
    await servers.stop();
    throw error;
  }
}

/**
 * Where a build is not what it is without faults; empty where it is the same. Nothing of an outcome hangs on a project's name.
 * @param build - how often the project was built before
 */
export function compare(calm: readonly Ran[], build: number, found: Outcome, part: Part = 'all'): string[] {
  return differences(calm[build === 0 ? 0 : 2 - (build % 2)]?.outcome ?? {}, found, PARTS[part]);
}

/** The faults of a seed, and the choices that are left to them. */
export function faultsOf(seed: number, partitions: number): { faults: Planned[]; next: () => number } {
  const next = random(seed);
  return { faults: chooseFaults(seed, next, partitions), next };
}

export function describe(faults: readonly Planned[]): string {
  return faults.map(({ fault, after }) => `${after}: ${fault}`).join('; ');
}

/** Takes one thing after the other, so many at once; each lane is made when it is first used. */
export async function onLanes<T>(
  { servers, lane }: { servers: Servers; lane: Lane },
  count: number,
  things: Iterator<T>,
  work: (lane: Lane, thing: T) => Promise<void>,
): Promise<void> {
  const lanes = [lane];
  while (lanes.length < count) lanes.push(await servers.lane());
  await Promise.all(
    lanes.map(async (one) => {
      for (let { value, done } = things.next(); done !== true; { value, done } = things.next()) await work(one, value);
    }),
  );
}
