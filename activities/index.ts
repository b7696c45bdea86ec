export type { ControlActivities, GovernActivity, OrderActivity, PlanActivities, AdoptActivities } from './control.js';
export type { SliceActivities } from './slice.js';
export { createSliceActivities } from './slice.js';
export { createControlActivities } from './control-activities.js';
export { BUCKETS, createAsideGauge, createGauges, createMetrics } from './metrics.js';
export type { StandAside } from './connecting.js';
export { createConnecting } from './connecting.js';
export type { ControlDeps, GovernDeps, SliceDeps } from './deps.js';
