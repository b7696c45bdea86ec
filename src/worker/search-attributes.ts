import { setTimeout as wait } from 'node:timers/promises';
import type { NativeConnection } from '@temporalio/worker';
import type { Logger } from 'pino';
import { isForGood } from './beside.js';

/** What CONTRACT §4 names, all of them keywords. */
export const SEARCH_ATTRIBUTES = [
  'SluiceProject',
  'SluiceEnvironment',
  'SluiceDataset',
  'SluiceState',
  'SluiceOwner',
] as const;
/** INDEXED_VALUE_TYPE_KEYWORD of Temporal's API. */
const KEYWORD = 2;

/** How often, and for how long, the server is asked whether it knows them. */
const AGAIN_MS = 200;
const KNOWN_WITHIN_MS = 30_000;
/**
 * A cluster's services look at its namespaces every 2 s, each for itself, and the one that carries out workflows cannot be asked. A workflow that used an
 * attribute before that stood still for four minutes (server 1.32 on PostgreSQL).
 */
const SETTLES_MS = 4_000;

/** What it takes where all goes well. */
export const REGISTERED_MS = 8_000;

/**
 * Registers the search attributes that CONTRACT §4 names, and waits until they may be used. False where this worker may not register them, and they are
 * not there: then memo fields stand in.
 * @throws what the server refuses for now
 */
export async function registerSearchAttributes(
  connection: NativeConnection,
  namespace: string,
  log: Logger,
): Promise<boolean> {
  const present = async (): Promise<boolean> => {
    const { customAttributes } = await connection.operatorService.listSearchAttributes({ namespace });
    return SEARCH_ATTRIBUTES.every((name) => Number(customAttributes[name]) === KEYWORD);
  };
  try {
    if (await present()) return true;
    await connection.operatorService.addSearchAttributes({
      namespace,
      searchAttributes: Object.fromEntries(SEARCH_ATTRIBUTES.map((name) => [name, KEYWORD])),
    });
    if (!(await present())) throw new Error('the server does not have the search attributes that it was given');
    await known(connection, namespace);
    await wait(SETTLES_MS);
    return true;
  } catch (error) {
    if (!isForGood(error)) throw error;
    log.warn({ err: error }, 'search attributes could not be registered: memo fields of the same names are used');
    return false;
  }
}

/** Until the frontend takes a query that names them. */
async function known({ workflowService }: NativeConnection, namespace: string): Promise<void> {
  const query = SEARCH_ATTRIBUTES.map((name) => `${name} = 'x'`).join(' AND ');
  const end = Date.now() + KNOWN_WITHIN_MS;
  for (;;) {
    try {
      await workflowService.countWorkflowExecutions({ namespace, query });
      return;
    } catch (error) {
      if (Date.now() > end) throw error;
    }
    await wait(AGAIN_MS);
  }
}
