import type { Law } from './types.js';

/** The law that a project has without asking: all slots, whatever is measured. Stops and windows hold for it too. */
export const fixed: Law<null> = {
  name: 'fixed',
  needs: [],
  begin: () => null,
  step: (state, _readings, { most }) => ({
    state,
    slots: most,
    cause: 'free',
    reason: `the budget's ${most} slots, whatever the load (law: fixed)`,
  }),
};
