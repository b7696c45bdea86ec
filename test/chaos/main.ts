/**
 * The long chaos campaign.
 *
 *     npm run chaos -- --runs 100 --seed 7 [--lanes 3] [--minutes 60]
 *     npm run chaos -- --exhaustive [--kinds events,total]
 *     npm run chaos -- --mutants [--only 'fence|chunk'] [--lanes 3]
 *     npm run chaos -- --zombies [--rounds 4]
 *     npm run chaos -- --recovery [--kills 32]
 *     npm run chaos -- --starts [--kills 200] [--lanes 3] [--seed 7]
 */
import { parseArgs } from 'node:util';
import { catchAll } from './catch.js';
import { exhaust, KINDS } from './exhaustive.js';
import { randomly } from './random.js';
import { recover } from './recovery.js';
import { killStarts } from './starts.js';
import { zombies } from './zombies.js';

const say = (line: string): void => void process.stdout.write(`${line}\n`);

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '20' },
    seed: { type: 'string' },
    lanes: { type: 'string', default: '3' },
    exhaustive: { type: 'boolean' },
    kinds: { type: 'string' },
    mutants: { type: 'boolean' },
    only: { type: 'string' },
    zombies: { type: 'boolean' },
    rounds: { type: 'string', default: '4' },
    recovery: { type: 'boolean' },
    starts: { type: 'boolean' },
    kills: { type: 'string' },
    minutes: { type: 'string', default: '100000' },
  },
});
const seed = Number(values.seed ?? Date.now() % 1_000_000);
say(`seed ${seed}`);
const lanes = Number(values.lanes);
const until = Date.now() + Number(values.minutes) * 60_000;
const mode =
  (['exhaustive', 'mutants', 'zombies', 'recovery', 'starts'] as const).find((name) => values[name]) ?? 'random';
const MODES: Readonly<Record<typeof mode, () => Promise<boolean>>> = {
  random: () => randomly({ runs: Number(values.runs), seed, lanes, until }, say),
  exhaustive: () => exhaust(values.kinds?.split(',') ?? KINDS, { lanes, until }, say),
  mutants: () => catchAll(values.only, lanes, say),
  zombies: () => zombies(Number(values.rounds), say),
  recovery: () => recover(Number(values.kills ?? 32), lanes, say),
  starts: () => killStarts({ kills: Number(values.kills ?? 200), seed, lanes, until }, say),
};
if (!(await MODES[mode]())) process.exitCode = 1;
