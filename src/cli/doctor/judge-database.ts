import { MAJORS } from '../../postgres/server.js';
import { fail, ok, warn, type Check } from './check.js';

/** What one connection told; names are quoted as SQL needs them. Limits of connections: -1 is none. */
export interface DatabaseFacts {
  readonly version: number;
  readonly role: string;
  readonly clockMs: number;
  readonly standby: boolean;
  /** A standby, or told to be by a setting of the database or the role. */
  readonly readOnly: boolean;
  readonly allowed: number;
  readonly allowedRole: number;
  readonly allowedDatabase: number;
  readonly usedByOthers: number;
  readonly mayCreateSchemas: boolean;
  readonly missingSchemas: readonly string[];
  readonly closedSchemas: readonly string[];
  readonly missingTables: readonly string[];
  readonly closedTables: readonly string[];
  readonly roundTripMs: number;
  /** Of the database's clock against ours; positive where it is ahead. */
  readonly skewMs: number;
  /** Whether two connections that are open at once were given one backend. */
  readonly sharesBackends: boolean;
}

export interface DatabaseUse {
  readonly isWarehouse: boolean;
  readonly slots: number;
}

/** Partitions become plannable by the planner's clock and are published by the warehouse's: more than this is worth a look. */
const SKEW_MS = 2_000;
/** Of one worker, beside a connection for each slice at work: its store's pool and one for control. */
const BESIDE_SLICES = 5;

/** What is to be said of a connection. */
export function judgeDatabase(connection: string, facts: DatabaseFacts, use: DatabaseUse): Check[] {
  const name = `connection ${connection}`;
  const major = Math.floor(facts.version / 10_000);
  const reached = `PostgreSQL ${major} as ${facts.role}, ${facts.roundTripMs} ms`;
  return [
    major > MAJORS.newest
      ? warn(name, `${reached}: newer than was ever tested`, `${MAJORS.oldest} to ${MAJORS.newest} are tested`)
      : ok(name, `${reached}, ${MAJORS.oldest} to ${MAJORS.newest} are tested`),
    ...judgeSession(name, facts),
    ...judgeRights(name, facts, use),
    judgeHeadroom(name, connection, facts, use),
  ];
}

function judgeSession(name: string, { sharesBackends, skewMs }: DatabaseFacts): Check[] {
  return [
    sharesBackends
      ? fail(
          `${name}: session`,
          'a pooler hands out backends per transaction: advisory locks and session settings would be lost',
          'let the url name PostgreSQL itself, or a pool with pool_mode = session',
        )
      : ok(`${name}: session`, 'a backend of its own'),
    Math.abs(skewMs) > SKEW_MS
      ? warn(
          `${name}: clock`,
          `${Math.abs(skewMs)} ms ${skewMs > 0 ? 'ahead of' : 'behind'} this machine's`,
          'set both by NTP: what is plannable is read off the one, when it was published off the other',
        )
      : ok(`${name}: clock`, `within ${SKEW_MS} ms of this machine's`),
  ];
}

function judgeRights(name: string, facts: DatabaseFacts, { isWarehouse }: DatabaseUse): Check[] {
  const { role, standby, readOnly, mayCreateSchemas, missingSchemas, closedSchemas, missingTables, closedTables } =
    facts;
  const what = `${name}: rights`;
  const found: Check[] = [];
  if (isWarehouse && standby)
    found.push(fail(what, 'a standby, which takes no writes', 'let the url of the warehouse name its primary'));
  else if (isWarehouse && readOnly)
    found.push(
      fail(
        what,
        'default_transaction_read_only is on: it takes no writes',
        `ALTER ROLE ${role} SET default_transaction_read_only = off`,
      ),
    );
  if (closedSchemas.length > 0) {
    const all = closedSchemas.join(', ');
    found.push(
      fail(what, `${role} may not create tables in ${all}`, `GRANT USAGE, CREATE ON SCHEMA ${all} TO ${role}`),
    );
  }
  if (missingSchemas.length > 0 && !mayCreateSchemas) {
    const create = missingSchemas.map((schema) => `CREATE SCHEMA ${schema} AUTHORIZATION ${role}`);
    found.push(
      fail(
        what,
        `${missingSchemas.join(', ')}: not there, and ${role} may not create schemas`,
        `${create.join('; ')};`,
      ),
    );
  }
  if (missingTables.length > 0)
    found.push(
      fail(what, `not there: ${missingTables.join(', ')}`, 'correct `extract.table`, or create what it names'),
    );
  if (closedTables.length > 0)
    found.push(
      fail(
        what,
        `${role} may not read ${closedTables.join(', ')}`,
        `GRANT SELECT ON ${closedTables.join(', ')} TO ${role}`,
      ),
    );
  return found.length > 0
    ? found
    : [ok(what, isWarehouse ? 'may write where the datasets are' : 'may read what is extracted')];
}

function judgeHeadroom(
  name: string,
  connection: string,
  facts: DatabaseFacts,
  { isWarehouse, slots }: DatabaseUse,
): Check {
  const limits = [facts.allowed, facts.allowedRole, facts.allowedDatabase].filter((limit) => limit >= 0);
  const free = Math.min(...limits) - facts.usedByOthers;
  const needed = slots + 1 + (isWarehouse ? BESIDE_SLICES : 0);
  const said = `${Math.max(0, free)} connections free for sluice, ${needed} needed by a worker at ${slots} slots`;
  if (free >= needed) return ok(`${name}: connections`, said);
  return warn(
    `${name}: connections`,
    said,
    `raise max_connections, or lower budget.slots of ${connection} in sluice.yaml`,
  );
}
