import { z } from 'zod';
import { CAUSES } from '../core/throttle/types.js';

const name = z.string().min(1).max(200);

/** A connection of a project whose database is governed: who can carry the governor's activity out. */
export const GovernedSite = z.strictObject({ project: name, environment: name, connection: name });
export type GovernedSite = z.infer<typeof GovernedSite>;

/** What stands now: from the governing activity to its workflow, for the web UI and for whoever asks. */
export const GovernorNews = z.object({
  slots: z.int().min(0),
  /** Batches a second; null is no limit. */
  rate: z.number().nullable(),
  cause: z.enum(CAUSES),
  reading: z.string().nullable(),
  reason: z.string().max(1000),
  readings: z.record(z.string(), z.object({ value: z.number().nullable(), reason: z.string() })),
  at: z.string(),
});
export type GovernorNews = z.infer<typeof GovernorNews>;

/** The one argument of the `governor` workflow. */
export const GovernorInput = z.strictObject({
  /** Identity of the governed database. */
  database: name,
  /** Any of them can carry the activity out; the first one does. */
  sites: z.array(GovernedSite).min(1).max(100),
  /** From the execution before. */
  news: GovernorNews.nullable().default(null),
});
export type GovernorInput = z.input<typeof GovernorInput>;

/** The `status` query of a governor. */
export interface GovernorStatus {
  readonly database: string;
  readonly sites: readonly GovernedSite[];
  readonly news: GovernorNews | null;
}

const who = { reason: z.string().max(4000).optional(), requestedBy: z.string().max(400).optional() };
export const SLOTS_MOST = 10_000;

/** One JSON object each: what a person says of a database. */
export const WAREHOUSE_MESSAGES = {
  hold: z.strictObject(who),
  release: z.strictObject(who),
  limit: z.strictObject({ ...who, slots: z.int().min(0).max(SLOTS_MOST) }),
} as const;
export type WarehouseMessageName = keyof typeof WAREHOUSE_MESSAGES;
