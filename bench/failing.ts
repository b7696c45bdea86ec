/**
 * Very many failures: half of the hours of an extract hold a value that is no number, each between two that are fine. The backfill is held,
 * somebody mends the source, and it is tried again.
 *
 *     node --import tsx bench/failing.ts [FAILURES] [SECONDS]
 */
import { pathToFileURL } from 'node:url';
import { clientOf } from '../test/support/backfills.js';
import type { Stack } from '../test/support/stack.js';
import { peakMb, withStack } from './lib/engine.js';
import { demand, histories, queryFigures, report, sizeYaml, timed, watch } from './lib/watch.js';

const FROM = '2014-01-01';
const FILES = {
  'sluice.yaml': sizeYaml('hour', FROM, '  ops: { type: postgres, url: "embedded:ops", budget: { slots: 4 } }\n'),
  'datasets/numbers.yaml': `extract:
  from: ops
  query: SELECT at, word::int AS n FROM words WHERE at >= :start AND at < :end
  time: at
`,
  // Each of its hours that reads a bad one is blocked.
  'datasets/readers.sql': '/*\ntime: at\n*/\nSELECT at, n FROM numbers WHERE at >= :start AND at < :end\n',
};

async function bench(stack: Stack, [failures = '10000', giveUp = '900']: readonly string[]): Promise<void> {
  const hours = 2 * Number(failures);
  const ops = await stack.connect('ops');
  await ops.query(`CREATE TABLE words (at timestamptz PRIMARY KEY, word text NOT NULL)`);
  await ops.query(
    `INSERT INTO words SELECT '${FROM}Z'::timestamptz + i * interval '1 hour', CASE WHEN i % 2 = 0 THEN 'none' ELSE '1' END
     FROM generate_series(0, $1::int - 1) i`,
    [hours],
  );
  const project = stack.project('size', FILES);
  await stack.url('size');
  const worker = await stack.worker(project);
  const pid = worker.pid ?? 0;
  const client = await clientOf(stack, 'size');
  const to = new Date(Date.parse(`${FROM}T00:00:00Z`) + hours * 3_600_000).toISOString();
  await demand(stack, ['backfill', '-p', project, '--from', FROM, '--to', to, '--id', 'b']);
  const until = async (what: string): Promise<void> => {
    const { value, ms } = await timed(() => watch(client, 'b', { pauses: 0, pid, giveUpMs: Number(giveUp) * 1000 }));
    const { status, queries, unanswered, documentBytes } = value;
    const { done, failed, blocked } = status.partitions;
    report(what, { state: status.state, seconds: ms / 1000, ...{ done, failed, blocked }, peakMb: peakMb(pid) });
    report('status', { ...queryFigures(queries), unanswered, documentBytes });
  };
  await until('as it is');
  const shown = await stack.sluice(['status', 'b', '-p', project]);
  report('screen', { lines: shown.out.split('\n').length });
  console.log(shown.out);
  await ops.query(`UPDATE words SET word = '2' WHERE word = 'none'`);
  await client.retry('b');
  await until('mended');
  await client.close();
  await histories(stack, 'b');
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href)
  await withStack((stack) => bench(stack, process.argv.slice(2)));
