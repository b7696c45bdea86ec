/**
 * The long chaos campaign.
 *
 *     npm run chaos -- --runs 100 --seed 7
 *     npm run chaos -- --exhaustive [--kinds events,total]
 *     npm run chaos -- --mutants [--only fence]
 */
import { parseArgs } from 'node:util';
import { compare, describe, faultsOf, reference } from './campaign.js';
import { exhaust, KINDS } from './exhaustive.js';
import { MUTANTS, plant } from './mutants.js';
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
    const ran = await carryOut({ servers, name: `chaos_${seed + i}`, faults, next }).catch((error: unknown) =>
      String(error),
    );
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
  say(
    `came to: ${JSON.stringify({ ...total, 'connections cut': servers.proxy.cut(), stalled: servers.proxy.stalled() })}`,
  );
  const never = WANTED.filter((name) => (total[name] ?? 0) === 0);
  if (never.length > 0) say(`never came to: ${never.join(', ')}: more runs are needed`);
  return wrong === 0 && never.length === 0;
}

async function exhaustive(servers: Servers, kinds: readonly string[]): Promise<boolean> {
  const done = await exhaust(servers, kinds, say);
  const points = done.reduce((sum, one) => sum + one.points, 0);
  const wrong = done.reduce((sum, one) => sum + one.wrong.length, 0);
  say(`${points} places in ${done.length} kinds of slices, ${wrong} different`);
  return wrong === 0;
}

/** Each planted bug until it is told from the real build, {@link MUTANT_RUNS} times at most. */
async function mutants(servers: Servers, only: string | undefined): Promise<boolean> {
  const calm = await reference(servers);
  // Those that show by themselves first.
  const chosen = MUTANTS.filter(({ name }) => only === undefined || name.includes(only)).sort(
    (a, b) => a.faults.length - b.faults.length,
  );
  let caught = 0;
  for (const [i, mutant] of chosen.entries()) {
    const dist = await plant(mutant);
    let why: string | undefined;
    let run = 0;
    while (why === undefined && run < MUTANT_RUNS) {
      run++;
      const options = { servers, name: `mutant_${i}_${run}`, faults: mutant.faults, dist, withinMs: MUTANT_MS };
      const found = await carryOut(options).then(
        (ran) => compare(calm.outcome, ran),
        (error: unknown) => [String(error).split('\n')[0] ?? ''],
      );
      [why] = found;
    }
    if (why !== undefined) caught++;
    say(`${why === undefined ? 'NOT CAUGHT' : `caught in run ${run}`}: ${mutant.name}: ${why?.slice(0, 300) ?? ''}`);
  }
  say(`${caught} of ${chosen.length} planted bugs caught`);
  return caught === chosen.length;
}

const MUTANT_RUNS = 4;
const MUTANT_MS = 60_000;

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '20' },
    seed: { type: 'string' },
    exhaustive: { type: 'boolean' },
    kinds: { type: 'string' },
    mutants: { type: 'boolean' },
    only: { type: 'string' },
  },
});
const seed = Number(values.seed ?? Date.now() % 1_000_000);
say(`seed ${seed}`);
const servers = await startServers();
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => void servers.stop().finally(() => process.exit(130)));
}
try {
  const kinds = values.kinds?.split(',') ?? Object.keys(KINDS);
  const fine = values.mutants
    ? await mutants(servers, values.only)
    : values.exhaustive
      ? await exhaustive(servers, kinds)
      : await campaign(servers, Number(values.runs), seed);
  if (!fine) process.exitCode = 1;
} finally {
  await servers.stop();
}
