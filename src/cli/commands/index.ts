import { backfill } from './backfill.js';
import { adjust, cancel, pause, resume, retry, skip } from './control.js';
import { dev } from './dev.js';
import { list, status, watch } from './status.js';
import { plan } from './plan.js';
import type { Verb } from './verb.js';
import { worker } from './worker.js';

/** In the order of `sluice --help`: set up, look ahead, carry out, look at it, steer, the ledger. */
export const COMMANDS: readonly Verb[] = [
   dev, worker,   plan, backfill, list, status, watch, 
  pause, resume, cancel, retry, skip, adjust,   
];
