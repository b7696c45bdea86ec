import type { NativeConnection } from '@temporalio/worker';
import type { Logger } from 'pino';

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

/** Registers the search attributes that CONTRACT §4 names. False where this worker may not, and they are not there: then memo fields stand in. */
export async function registerSearchAttributes(
  connection: NativeConnection,
  namespace: string,
  log: Logger,
): Promise<boolean> {
  const present = async (): Promise<boolean> => {
    const { customAttributes } = await connection.operatorService.listSearchAttributes({ namespace });
    return SEARCH_ATTRIBUTES.every((name) => name in customAttributes);
  };
  try {
    if (await present()) return true;
    await connection.operatorService.addSearchAttributes({
      namespace,
      searchAttributes: Object.fromEntries(SEARCH_ATTRIBUTES.map((name) => [name, KEYWORD])),
    });
    return await present();
  } catch (error) {
    log.warn({ err: error }, 'search attributes could not be registered: memo fields of the same names are used');
    return false;
  }
}
