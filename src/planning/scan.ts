import type { ExtractSpec } from '../contracts/plan.js';
import type { PlanWarning } from '../contracts/status.js';
import type { Interval } from '../core/interval/interval.js';
import { countRuns, partitionAt, runEnd, type Run } from '../core/interval/runs.js';
import { lacksIndex, scansOnce } from '../core/plan/scan.js';
import type { PgClient } from '../postgres/pool.js';
import { quoteIdent, quoteTable } from '../postgres/quote.js';
import type { Dataset } from '../project/project.js';
import { estimateRead } from '../source/postgres/estimate.js';
import { sqlInstant } from '../store/ledger.js';

/** What a plan reads of an extract: so many partitions, such as `one`, of `all`. */
export interface Reads {
  readonly partitions: number;
  readonly one: Interval;
  readonly all: Interval;
}

export function readsOf(runs: readonly Run[]): Reads {
  const partitions = countRuns(runs);
  const one = partitionAt(runs, Math.floor(partitions / 2));
  const [first, last] = [runs[0], runs.at(-1)];
  if (!one || !first || !last) throw new TypeError('nothing is read');
  return { partitions, one, all: { start: first.start, end: runEnd(last) } };
}

/** How an extract's partitions are read, by its setting or by what the source's planner says; and the index that is missing. */
export async function scanOf(
  client: PgClient,
  { name, scan }: Dataset,
  spec: ExtractSpec,
  reads: Reads | undefined,
): Promise<{ scan: 'auto' | 'once'; warnings: PlanWarning[] }> {
  // A time column that is not there is refused with all the others.
  const unknown = spec.time?.type === 'unknown';
  if (!reads || !spec.time || unknown || spec.params.length > 0) return { scan: 'auto', warnings: [] };
  const estimate = ({ start, end }: Interval): ReturnType<typeof estimateRead> =>
    estimateRead(client, spec, { start: sqlInstant(start), end: sqlInstant(end) });
  const one = await estimate(reads.one);
  if (!one.scans) return { scan, warnings: [] };
  const all = await estimate(reads.all);
  if (!lacksIndex(one, all)) return { scan, warnings: [] };
  const once = scan === 'once' || scansOnce(one, all, reads.partitions);
  const column = quoteIdent(spec.time.column);
  const index = spec.table
    ? `CREATE INDEX CONCURRENTLY ON ${quoteTable(spec.table)} (${column})`
    : `an index under ${column} of its query`;
  const how = once ? 'it is read once, into staging, and published from there' : 'each partition scans all of it';
  const message = `its source has no index on ${column}: ${how}. With one only what is asked for is read: ${index}`;
  return { scan: once ? 'once' : 'auto', warnings: [{ dataset: name, code: 'missing_index', message }] };
}
