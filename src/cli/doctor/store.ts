import { typedIn } from '../../contracts/typed.js';
import { systemError } from '../../postgres/error.js';
import type { PgClient } from '../../postgres/pool.js';
import { deployedNames } from '../../planning/owner.js';
import { showTable } from '../../project/names.js';
import type { Project } from '../../project/project.js';
import { VERSION_NAMES } from '../../store/migrations.js';
import type { Db } from '../../store/store.js';
import { registeredTables } from '../../store/tables.js';
import type { Opened } from '../../worker/open.js';
import { fail, ok, warn, type Check } from './check.js';
import type { IsOpen } from './temporal.js';

/** Looks at schema `sluice` in the warehouse, without bringing it to this version as every other verb would. */
export async function checkStore(opened: Opened, isOpen: IsOpen): Promise<Check[]> {
  const project = opened.project();
  try {
    return await opened.pool(project.warehouse).use(async (client) => {
      const schema = judgeVersions(await versionsIn(client));
      if (schema.state !== 'ok') return [schema];
      return [
        schema,
        await checkDefinition(client, project),
        await checkTables(await opened.db(), project),
        await checkReservations(client, project, isOpen),
      ];
    });
  } catch (error) {
    throw systemError(error, project.warehouse);
  }
}

/** What ran of the migrations; null where there is no schema `sluice`. */
async function versionsIn(client: PgClient): Promise<string[] | null> {
  const { rows } = await client.query<{ there: boolean }>(
    `SELECT to_regclass('sluice.migrations') IS NOT NULL AS there`,
  );
  if (rows[0]?.there !== true) return null;
  const ran = await client.query<{ name: string }>('SELECT name FROM sluice.migrations ORDER BY id');
  return ran.rows.map(({ name }) => name);
}

/** Whether schema `sluice` is of this version. */
export function judgeVersions(ran: readonly string[] | null, ours: readonly string[] = VERSION_NAMES): Check {
  const name = 'schema sluice';
  if (ran === null) return warn(name, 'not there yet', 'the first worker makes it: sluice worker');
  const unknown = ran.filter((version) => !ours.includes(version));
  if (unknown.length > 0)
    return fail(name, `of a newer sluice: ${unknown.join(', ')}`, 'install the version of sluice that the workers run');
  const missing = ours.filter((version) => !ran.includes(version));
  if (missing.length === 0) return ok(name, `version ${ours.at(-1) ?? ''}`);
  return warn(name, `without ${missing.join(', ')}`, 'a worker of this version brings it there: sluice worker');
}

async function checkDefinition(client: PgClient, { name, environment, hash }: Project): Promise<Check> {
  const what = 'definition';
  const { rows } = await client.query<{ definition: string }>(
    'SELECT definition FROM sluice.deployments WHERE project = $1 AND environment = $2',
    [name, environment],
  );
  const deployed = rows[0]?.definition;
  if (deployed === undefined)
    return warn(what, 'no worker has deployed this project yet', `start one: ${typedIn(environment, 'sluice worker')}`);
  if (deployed === hash) return ok(what, `${hash}, as the workers deploy it`);
  return warn(
    what,
    `this folder is ${hash}, the workers deploy ${deployed}`,
    'start the workers again with this folder, or choose for each backfill: --local, --deployed',
  );
}

/** Tables of datasets that are no longer deployed: they keep their names from others, and nobody builds them. */
async function checkTables(db: Db, project: Project): Promise<Check> {
  const what = 'tables';
  const scope = { project: project.name, environment: project.environment };
  const deployed = await deployedNames(db, scope);
  const tables = await registeredTables(db, scope);
  const left = tables.filter(({ dataset }) => !deployed.has(dataset) && !project.datasets.has(dataset));
  const [first] = left;
  if (!first) return ok(what, `${tables.length} owned`);
  const typed = (command: string): string => typedIn(project.environment, command);
  // One that has nothing yet is what it is called now.
  const heirs = [...project.datasets.keys()].filter((name) => !tables.some(({ dataset }) => dataset === name));
  const heir = heirs.length === 1 ? heirs[0] : '…';
  return warn(
    what,
    `of datasets that are gone from the project: ${left.map(({ dataset, table }) => `${showTable(table)} (${dataset})`).join(', ')}`,
    `give them up: ${typed(`sluice forget ${first.dataset}`)}; or hand them to the dataset’s new name: ${typed(`sluice rename ${first.dataset} ${heir}`)}`,
  );
}

/** Reservations whose backfill has ended without letting go: terminated by hand, or of a Temporal server that is no more. */
async function checkReservations(client: PgClient, { name, environment }: Project, isOpen: IsOpen): Promise<Check> {
  const what = 'reservations';
  const { rows } = await client.query<{ workflow_id: string; backfill_id: string; datasets: string[] }>(
    `SELECT r.workflow_id, r.backfill_id, coalesce(array_agg(DISTINCT d.dataset) FILTER (WHERE d.dataset IS NOT NULL), '{}') AS datasets
     FROM sluice.reservations r LEFT JOIN sluice.reserved d USING (workflow_id)
     WHERE r.project = $1 AND r.environment = $2 GROUP BY 1, 2 ORDER BY 2`,
    [name, environment],
  );
  const open = await Promise.all(rows.map(({ workflow_id }) => isOpen(workflow_id)));
  if (open.includes(undefined))
    return warn(what, `${rows.length} held, Temporal cannot be asked by whom`, 'mend Temporal first');
  const dead = rows.filter((_, i) => open[i] === false);
  if (dead.length === 0) return ok(what, `${rows.length} held, all by backfills that go on`);
  const said = dead.map(({ backfill_id, datasets }) => `${backfill_id} (${datasets.join(', ')})`);
  return warn(
    what,
    `left by backfills that are over: ${said.join('; ')}`,
    `the next backfill of the same range takes them over: sluice backfill ${dead[0]?.datasets.join(' ') ?? ''}`,
  );
}
