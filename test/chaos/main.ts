/**
 * The long chaos campaign.
 *
 *     npm run chaos -- --runs 100 --seed 7
 */
import { parseArgs } from 'node:util';
import { compare, describe, faultsOf, reference } from './campaign.js';
import { carryOut } from './run.js';
import { startServers, type Servers } from './servers.js';
import { add, WANTED } from './sightings.js';

const say = (line: string): void => void process.stdout.write(`${line}\n`);

async function campaign(servers: Servers, runs: number, seed: number): Promise<boolean> {
  const calm = await reference(servers);
  say(`without faults: ${calm.published} partitions in ${calm.seconds.toFixed(1)} s`);
  const total: Record<string, number> = {};
  const kinds: Record<string, number> = {};
  add(total, calm.seen);
  let wrong = 0;
  for (let i = 0; i < runs; i++) {
    const { faults, next } = faultsOf(seed + i, calm.published);
    const ran = await carryOut({ servers, name: `chaos_${seed + i}`, faults, next }).catch((error: unknown) => String(error));
    const found = typeof ran === 'string' ? [ran] : compare(calm.outcome, ran);
    if (found.length > 0) wrong++;
    if (typeof ran !== 'string') add(total, ran.seen);
    add(kinds, Object.fromEntries(faults.map(({ fault }) => [fault, 1])));
    const seconds = typeof ran === 'string' ? '' : ` ${ran.seconds.toFixed(1)} s`;
    say(`${seed + i}: ${found.length === 0 ? 'identical' : 'DIFFERENT'}${seconds} (${describe(faults)})`);
    for (const line of found) say(`    ${line}`);
    if (found.length > 0 && typeof ran !== 'string' && process.env['CHAOS_LOG']) say(ran.said);
  }
  say(`${runs} runs, ${wrong} different; faults: ${JSON.stringify(kinds)}`);
  say(`came to: ${JSON.stringify({ ...total, 'connections cut': servers.proxy.cut(), stalled: servers.proxy.stalled() })}`);
  const never = WANTED.filter((name) => (total[name] ?? 0) === 0);
  if (never.length > 0) say(`never came to: ${never.join(', ')}: more runs are needed`);
  return wrong === 0 && never.length === 0;
}

const { values } = parseArgs({
  options: { runs: { type: 'string', default: '20' }, seed: { type: 'string' } },
});
const seed = Number(values.seed ?? Date.now() % 1_000_000);
say(`seed ${seed}`);
const servers = await startServers();
try {
  if (!(await campaign(servers, Number(values.runs), seed))) process.exitCode = 1;
} finally {
  await servers.stop();
}
