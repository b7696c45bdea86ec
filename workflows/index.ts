/** The registered workflow types: this is the surface that CONTRACT §4 names. */
export { adopt } from './adopt.js';
export { backfill } from './backfill.js';
export { dataset } from './dataset.js';
export { governor } from './governor.js';
export { plan } from './plan.js';
