import type { Verb } from '../verb.js';
import { adopt, forget } from './adopt.js';
import { advise } from './advise.js';
import { backfill } from './backfill.js';
import { completion } from './completion.js';
import { adjust, cancel, pause, resume, retry, skip } from './control.js';
import { dev } from './dev.js';
import { doctor } from './doctor.js';
import { graph } from './graph.js';
import { init } from './init.js';
import { ledger } from './ledger.js';
import { list, status, watch } from './status.js';
import { plan } from './plan.js';
import { render } from './render.js';
import { rename } from './rename.js';
import { validate } from './validate.js';
import { warehouse } from './warehouse.js';
import { why } from './why.js';
import { worker } from './worker.js';

/** In the order of `sluice --help`: set up, look ahead, carry out, look at it, steer, the ledger. */
export const COMMANDS: readonly Verb[] = [
  init,
  dev,
  worker,
  validate,
  doctor,
  graph,
  plan,
  backfill,
  list,
  status,
  watch,
  why,
  render,
  advise,
  pause,
  resume,
  cancel,
  retry,
  skip,
  adjust,
  warehouse,
  ledger,
  adopt,
  forget,
  rename,
  completion,
];
