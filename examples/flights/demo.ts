/**
 * `npm run demo`: the main job on real data, on a machine where nothing else runs.
 *
 * Starts PostgreSQL, Temporal and a worker, loads a year of real flights into the source, backfills the whole project with live progress,
 * verifies every table against the source, stops what it started. `-- --keep` leaves it up.
 */
import { spawn } from 'node:child_process';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { readDevFile } from '../../src/dev/dev-file.js';
import { ensureDatabase } from '../../src/dev/postgres-server.js';
import { loadSource } from './load.js';
import { exampleDir } from './paths.js';
import { formatReport, verify } from './verify.js';

const PROJECT = exampleDir();
const DATA_DIR = process.env['SLUICE_DATA_DIR'] ?? join(PROJECT, '.sluice');
const SLUICE = fileURLToPath(new URL('../../src/cli/sluice.js', import.meta.url));
const YEAR = ['--from', '2013-01-01', '--to', '2014-01-01'];

/** The same command that a person would type; its progress goes to this terminal. */
function sluice(...words: string[]): Promise<number> {
  const child = spawn(process.execPath, [SLUICE, ...words, '-p', PROJECT, '--data-dir', DATA_DIR], {
    stdio: 'inherit',
  });
  return new Promise((done, failed) => {
    child.once('error', failed);
    child.once('exit', (code) => {
      done(code ?? 1);
    });
  });
}

async function demo(keep: boolean): Promise<number> {
  say('1. PostgreSQL, Temporal and a worker');
  const running = readDevFile(DATA_DIR);
  if (!running && (await sluice('dev', '--detach')) !== 0) return 1;
  const dev = readDevFile(DATA_DIR);
  if (!dev) throw new Error('sluice dev serves nothing');
  try {
    say('2. A year of real flights, as the source');
    await ensureDatabase(dev.postgresUrl, 'ops');
    const sourceUrl = `${dev.postgresUrl}/ops`;
    const { rows } = await loadSource(sourceUrl);
    say(
      `   ${Object.entries(rows)
        .map(([table, count]) => `${table} ${count.toLocaleString('en')}`)
        .join(', ')}`,
    );
    say('3. The backfill: 15 datasets, each date as soon as its own inputs are done');
    const id = `demo-${new Date().toISOString().replace(/[-:]/g, '').replace('T', '-').slice(0, 15)}`;
    say(`   in the Temporal web UI: ${workflowUrl(dev.temporalUiUrl, id)}`);
    const code = await sluice('backfill', ...YEAR, '--wait', '--reason', 'demo', '--id', id);
    if (code !== 0) return code;
    say('4. Verified against SQL that reads the source directly');
    const report = await verify({ sourceUrl, warehouseUrl: `${dev.postgresUrl}/warehouse` });
    say(formatReport(report));
    next(dev.temporalUiUrl, keep || running !== undefined);
    return report.ok ? 0 : 1;
  } finally {
    if (!keep && !running) await sluice('dev', '--stop');
  }
}

function workflowUrl(uiUrl: string, id: string): string {
  return `${uiUrl}/namespaces/default/workflows/${encodeURIComponent(`backfill/flights/${id}`)}`;
}

function next(uiUrl: string, stays: boolean): void {
  const where = `-p ${relative('.', PROJECT) || '.'}`;
  say(
    stays
      ? `All backfills in the Temporal web UI: ${uiUrl}/namespaces/default/workflows`
      : 'Stopping; to keep it all up, and its web UI: npm run demo -- --keep',
  );
  say(`Try next${stays ? '' : ', after that'}:
  npx sluice graph ${where}
  npx sluice plan ${where} --on 2013-03-10 --rebuild all
  npx sluice why carrier_7d 2013-03-10 ${where}
  npx sluice ledger flights_raw ${where} --from 2013-03-01 --to 2013-04-01`);
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

process.exitCode = await demo(process.argv.includes('--keep'));
