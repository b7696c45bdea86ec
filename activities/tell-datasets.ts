import type { DatasetOrder } from '../src/contracts/messages.js';
import type { ExecutionRef } from './control.js';
import type { ControlDeps } from './deps.js';

/** Signals under way at once: a server writes each to a history of its own. */
const AT_ONCE = 20;

/** Tells each of them; said again after a lost answer, an order changes nothing. */
export async function tellDatasets(
  deps: ControlDeps,
  { ref, names, order }: { ref: ExecutionRef; names: readonly string[]; order: DatasetOrder },
): Promise<void> {
  const waiting = [...names];
  const send = async (): Promise<void> => {
    for (let name = waiting.shift(); name !== undefined; name = waiting.shift())
      await deps.signal(`${ref.workflowId}/${name}`, 'order', order);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, send));
}
