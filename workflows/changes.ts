/**
 * Every change of workflow code that a recorded history could notice, by its patch id: why, since which version, and when the old path
 * may go. `patched(id)` is called with ids of this table only.
 */
export const CHANGES = {} as const satisfies Readonly<
  Record<string, { why: string; since: string; removableAfter: string }>
>;
