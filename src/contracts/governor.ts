import { z } from 'zod';
import type { GovernorState } from '../core/throttle/judge.js';

const reading = z.string().max(100);
const reason = z.string().max(1000);
const ms = z.number().min(0);

/** What a governor carries from one execution to the next; `beginGovernor` where there is none, or none that can be read. */
export const GovernorStateJson: z.ZodType<GovernorState> = z.strictObject({
  wish: z.number().min(0),
  adaptive: z
    .strictObject({
      foreground: z.number().min(0).nullable(),
      knee: z.number().min(1),
      window: z.number().min(1),
      slots: z.int().min(0),
      probes: z.array(z.number().positive()).max(50),
      bases: z.array(z.number().positive()).max(6),
      slowdown: z.boolean(),
      phaseMs: ms,
      cutMs: ms,
    })
    .nullable(),
  halts: z.strictObject({
    stopped: z.strictObject({ reading, reason, before: z.number().min(0), clean: z.int().min(0) }).nullable(),
    ceiling: z.number().min(0).nullable(),
    after: reading.nullable().default(null),
    critical: z.array(reading).max(100),
    hibernateMs: ms,
    strikes: z.int().min(0),
    quietMs: ms,
    unknownMs: ms,
  }),
});
