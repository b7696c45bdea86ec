import type pg from 'pg';
import type { BackfillClient } from '../../src/client/index.js';
import { FROM, TABLES, TO } from './project.js';
import type { Lane } from './servers.js';

/** Keeps each publish of a partition, and each chunk that is read, in the transaction that does it; a row that moved away is none. */
const AUDIT = `
CREATE SCHEMA audit;
CREATE TABLE audit.published (project text, dataset text, starts_at timestamptz, backfill_id text, epoch bigint, at timestamptz DEFAULT clock_timestamp());
CREATE FUNCTION audit.publish() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  INSERT INTO audit.published VALUES (NEW.project, NEW.dataset, NEW.starts_at, NEW.backfill_id, NEW.epoch); RETURN NULL; END $$;
CREATE TRIGGER inserted AFTER INSERT ON sluice.partitions FOR EACH ROW EXECUTE FUNCTION audit.publish();
CREATE TRIGGER updated AFTER UPDATE ON sluice.partitions FOR EACH ROW WHEN (NEW.xid <> OLD.xid) EXECUTE FUNCTION audit.publish();
CREATE TABLE audit.chunks (project text, staging bigint, n int, reader text);
CREATE FUNCTION audit.read() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  INSERT INTO audit.chunks SELECT project, id, NEW.n, current_setting('application_name') FROM sluice.staging WHERE id = NEW.staging; RETURN NULL; END $$;
CREATE TRIGGER read AFTER UPDATE OF rows ON sluice.chunks FOR EACH ROW EXECUTE FUNCTION audit.read();
`;

export async function audit(warehouse: pg.Client): Promise<void> {
  const { rows } = await warehouse.query<{ missing: boolean }>(`SELECT to_regnamespace('audit') IS NULL AS missing`);
  if (rows[0]?.missing === true) await warehouse.query(AUDIT);
}

/** Partitions that a backfill has published so far, each time counted. */
export async function publishedBy(warehouse: pg.Client, project: string, id: string): Promise<number> {
  const { rows } = await warehouse.query<{ n: number }>(
    'SELECT count(*)::int AS n FROM audit.published WHERE project = $1 AND backfill_id = $2',
    [project, id],
  );
  return rows[0]?.n ?? 0;
}

/** What a run left behind, but for times, ids and transaction numbers: tables, ledger, what was done twice, what is still held. */
export type Outcome = Readonly<Record<string, string>>;

/**
 * Datasets whose digest may differ where their content does not. A view has no content, and a call neither: their digests are of the execution. That of an extract
 * is of the stream, in the order in which the source has its rows, which a vacuum may change; that of chunks is of their borders, too. What they hold is
 * compared row by row.
 */
const OWN_DIGESTS = ['seen', 'told', 'big', 'events', 'lines', 'codes', 'moving', 'numbers'];

/** SQL of a digest that is to be the same in every run; null of the others. */
export const COMPARED_DIGEST = `CASE WHEN dataset NOT IN (${OWN_DIGESTS.map((name) => `'${name}'`).join(', ')}) THEN digest END`;

export async function outcomeOf(
  lane: Lane,
  client: BackfillClient,
  { project, id, select }: { readonly project: string; readonly id: string; readonly select: readonly string[] },
): Promise<Outcome> {
  const found = await lane.on('warehouse', async (warehouse) => {
    const one = async (sql: string): Promise<string> => {
      const { rows } = await warehouse.query<{ text: string | null }>(sql, sql.includes('$1') ? [project] : []);
      return rows[0]?.text ?? '';
    };
    const outcome: Record<string, string> = {};
    for (const table of TABLES.filter((name) => select.includes(name))) {
      outcome[table] = await one(
        `SELECT count(*) || ' rows ' || md5(string_agg(t::text, E'\\n' ORDER BY t::text)) AS text FROM ${project}.${table} t`,
      );
    }
    outcome['ledger'] = await one(
      `SELECT string_agg(concat_ws(' ', dataset, starts_at, ends_at, rows, ${COMPARED_DIGEST}, moved,
          CASE backfill_id WHEN '${id}' THEN 'now' ELSE 'before' END), E'\\n' ORDER BY dataset COLLATE "C", starts_at) AS text
       FROM sluice.partitions WHERE project = $1`,
    );
    outcome['published twice'] = await one(
      `SELECT string_agg(concat_ws(' ', dataset, starts_at, backfill_id, n), E'\\n') AS text
       FROM (SELECT dataset, starts_at, backfill_id, epoch, count(*) AS n FROM audit.published WHERE project = $1
         GROUP BY 1, 2, 3, 4 HAVING count(*) > 1) x`,
    );
    outcome['still held'] = await one(
      `SELECT concat_ws(' ', (SELECT count(*) FROM sluice.reservations WHERE project = $1),
         (SELECT count(*) FROM sluice.reserved WHERE project = $1),
         (SELECT count(*) FROM sluice.leases l WHERE NOT EXISTS (SELECT 1 FROM sluice.reservations r WHERE r.epoch = l.epoch))) AS text`,
    );
    return outcome;
  });
  const plan = await client.plan({ select: [...select], from: FROM, to: TO, rebuild: 'stale' });
  const left = plan.datasets.filter(({ build, missing, stale }) => build + missing + stale > 0);
  return { ...found, 'left to build': left.map(({ name, build }) => `${name} ${build}`).join('\n') };
}

/** What has a line for each of them. */
const BY_DATASET = ['ledger', 'left to build'];

/** Where two outcomes differ, by name, both values in short. What was found may be of a part of the datasets. */
export function differences(expected: Outcome, found: Outcome, select: readonly string[]): string[] {
  const ofPart = (lines: string[]): string[] => lines.filter((line) => select.includes(line.split(' ')[0] ?? ''));
  return Object.keys(expected).flatMap((name) => {
    if (TABLES.includes(name) && !select.includes(name)) return [];
    if (name === 'calls' && !select.includes('told')) return [];
    const [want, had] = [(expected[name] ?? '').split('\n'), (found[name] ?? '').split('\n')];
    const wanted = BY_DATASET.includes(name) ? ofPart(want) : want;
    if (wanted.join('\n') === had.filter((line) => !BY_DATASET.includes(name) || line !== '').join('\n')) return [];
    const gone = wanted.filter((line) => !had.includes(line)).slice(0, 5);
    const added = had.filter((line) => !wanted.includes(line)).slice(0, 5);
    return [`${name}: expected ${JSON.stringify(gone)}, found ${JSON.stringify(added)}`];
  });
}
