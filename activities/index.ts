export type { ControlActivities, PlanActivities } from './control.js';
export type { SliceActivities } from './slice.js';
export { createSliceActivities } from './slice.js';
export { createControlActivities } from './control-activities.js';
export { BUCKETS, createMetrics } from './metrics.js';
