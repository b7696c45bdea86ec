import { defineQuery, defineSignal, defineUpdate } from '@temporalio/workflow';
import type { SignalDefinition, UpdateDefinition } from '@temporalio/common';
import type { MessageName, DatasetOrder, NewsMessage, Report } from '../src/contracts/messages.js';
import type { GovernorStatus, WarehouseMessageName } from '../src/contracts/warehouse.js';
import type { BackfillStatus, DatasetStatus } from '../src/contracts/status.js';

/** A public message: the same name as a signal (fire and forget) and as an update (checked, answers with the new status). */
function publicMessage<Answer>(name: string, description: string): PublicMessage<Answer> {
  return { signal: defineSignal(name), update: defineUpdate(name), description };
}

/** The argument is anybody's JSON until its schema has read it. */
export interface PublicMessage<Answer> {
  readonly signal: SignalDefinition<[input: unknown]>;
  readonly update: UpdateDefinition<Answer, [input: unknown]>;
  /** Shown by the web UI and by `temporal workflow metadata`. */
  readonly description: string;
}

function message(name: MessageName, description: string): PublicMessage<BackfillStatus> {
  return publicMessage(name, description);
}

export const pause = message('pause', 'Nothing new begins: work stops between two batches, and stays where it is.');
export const resume = message('resume', 'Goes on after a pause.');
export const cancel = message(
  'cancel',
  'Stops the statements that run, lets go of what is held, and ends; what was published stays.',
);
export const retry = message(
  'retry',
  'While held: tries again what failed; `withCurrent` plans it anew under the current definitions, `upstream` reads again what it read.',
);
export const skip = message('skip', 'Partitions stay as they are, and so do their readers.');
export const adjust = message('adjust', 'Another priority or number of batches at work at once.');

/** The document of `sluice status --json`. */
export const status = defineQuery<BackfillStatus, [part?: unknown]>('status');

/** From a dataset to its backfill: where it stands. */
export const report = defineSignal<[Report]>('report');
/** From a dataset to its readers: what is done, failed and skipped, all of it. */
export const news = defineSignal<[NewsMessage]>('news');
/** From a backfill to its datasets: what a person wants. */
export const order = defineSignal<[DatasetOrder]>('order');

/** The same, to a governor. */
function warehouseMessage(name: WarehouseMessageName, description: string): PublicMessage<GovernorStatus> {
  return publicMessage(name, description);
}
export const hold = warehouseMessage('hold', 'No batch begins on this database, until release.');
export const release = warehouseMessage('release', 'Takes hold and limit back.');
export const limit = warehouseMessage(
  'limit',
  'At most so many batches at work at once on this database, until release.',
);
/** From a worker to a governor: it can be carried out there too. */
export const serve = defineSignal<[unknown]>('serve');
/** From the governing activity to its workflow. */
export const governed = defineSignal<[unknown]>('governed');
export const governorStatus = defineQuery<GovernorStatus>('status');

/** Of a dataset: where it stands. */
export const datasetStatus = defineQuery<DatasetStatus>('status');

interface Schema<T> {
  readonly safeParse: (told: unknown) => { readonly success: true; readonly data: T } | { readonly success: false };
}

/** Acts on a signal of ours if it is one: anybody can send it, and an error that left its handler would fail the workflow's task for ever. */
export function heard<T>(schema: Schema<T>, told: unknown, act: (read: T) => void): void {
  const parsed = schema.safeParse(told);
  if (parsed.success) act(parsed.data);
}
