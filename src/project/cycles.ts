import type { Problem } from '../contracts/errors.js';
import { topological } from '../core/graph/order.js';
import type { Need } from '../core/graph/need.js';
import type { Draft } from './draft.js';
import type { Statement } from './project.js';
import { problemAt } from './text.js';

/** A draft with the tables that it reads, and all that it waits for. */
export interface Resolved {
  readonly draft: Draft;
  readonly statement: Statement | undefined;
  readonly needs: readonly Need[];
}

export interface Ordered {
  /** What is read comes first; without the datasets on a cycle. */
  readonly order: readonly string[];
  readonly problems: readonly Problem[];
}

/** Orders the datasets; every cycle is printed with its files, at the place where its first dataset reads the next. */
export function orderDatasets(datasets: ReadonlyMap<string, Resolved>): Ordered {
  const left = new Set(datasets.keys());
  const problems: Problem[] = [];
  const upstreams = new Map([...datasets].map(([name, { needs }]) => [name, needs.map(({ dataset }) => dataset)]));
  for (;;) {
    const result = topological(left, (name) => (upstreams.get(name) ?? []).filter((other) => left.has(other)));
    if ('order' in result) return { order: result.order, problems };
    const problem = cycleProblem(result.cycle, datasets);
    if (problem) problems.push(problem);
    for (const name of result.cycle) left.delete(name);
  }
}

function cycleProblem(cycle: readonly string[], datasets: ReadonlyMap<string, Resolved>): Problem | undefined {
  const [first = '', second = ''] = cycle;
  const resolved = datasets.get(first);
  if (!resolved) return undefined;
  const read = resolved.statement?.relations.find(({ dataset }) => dataset === second);
  const place = read ? { line: read.line, column: read.column } : resolved.draft.source?.placeOfKey(['needs', second]);
  const files = cycle.slice(0, -1).map((name) => datasets.get(name)?.draft.file ?? name);
  return problemAt(resolved.draft.file, place, {
    code: 'cycle',
    message: `datasets read each other in a circle: ${cycle.join(' → ')} (${files.join(', ')})`,
    remedy: 'one of them must read something else',
  });
}
