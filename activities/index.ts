export type { ControlActivities, GovernorActivities, PlanActivities } from './control.js';
export type { SliceActivities } from './slice.js';
export { createSliceActivities } from './slice.js';
export { createControlActivities } from './control-activities.js';
export { BUCKETS, createGauges, createMetrics } from './metrics.js';
export type { GovernDeps } from './deps.js';
