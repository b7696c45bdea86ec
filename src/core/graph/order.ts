/** What a dataset reads, by name; names outside the graph are ignored, and so is a dataset that needs itself. */
export type NeedsOf = (name: string) => readonly string[];

/** Upstream first, or one cycle: each name needs the next, and the first is repeated at the end (`a`, `b`, `a`). */
export type Topological = { readonly order: string[] } | { readonly cycle: string[] };

/** Orders datasets so that what is read comes before its readers; of those that could be next, the first by name. */
export function topological(names: Iterable<string>, needsOf: NeedsOf): Topological {
  const readers = readersOf(names, needsOf);
  const missing = new Map<string, number>();
  for (const name of readers.keys()) missing.set(name, 0);
  for (const list of readers.values()) for (const reader of list) missing.set(reader, (missing.get(reader) ?? 0) + 1);

  const ready = [...missing].filter(([, count]) => count === 0).map(([name]) => name);
  ready.sort(descending);
  const order: string[] = [];
  for (let name = ready.pop(); name !== undefined; name = ready.pop()) {
    order.push(name);
    for (const reader of readers.get(name) ?? []) {
      const left = (missing.get(reader) ?? 0) - 1;
      missing.set(reader, left);
      if (left === 0) insert(ready, reader);
    }
  }
  if (order.length === missing.size) return { order };
  const done = new Set(order);
  return { cycle: cycleAmong(new Set([...missing.keys()].filter((name) => !done.has(name))), needsOf) };
}

/** Everything that `roots` read, directly or not; a root only where another root reads it. */
export function upstreamOf(roots: Iterable<string>, needsOf: NeedsOf): Set<string> {
  return reach(roots, needsOf);
}

/** Everything that reads `roots`, directly or not; a root only where it reads another root. */
export function downstreamOf(roots: Iterable<string>, names: Iterable<string>, needsOf: NeedsOf): Set<string> {
  const readers = readersOf(names, needsOf);
  return reach(roots, (name) => readers.get(name) ?? []);
}

function readersOf(names: Iterable<string>, needsOf: NeedsOf): Map<string, string[]> {
  const readers = new Map<string, string[]>();
  for (const name of names) readers.set(name, []);
  for (const name of readers.keys()) {
    for (const need of new Set(needsOf(name))) if (need !== name) readers.get(need)?.push(name);
  }
  return readers;
}

function reach(roots: Iterable<string>, next: NeedsOf): Set<string> {
  const reached = new Set<string>();
  const queue = [...roots];
  for (let name = queue.pop(); name !== undefined; name = queue.pop()) {
    for (const other of next(name)) {
      if (other === name || reached.has(other)) continue;
      reached.add(other);
      queue.push(other);
    }
  }
  return reached;
}

/** `left`: what remains when all that could be ordered is gone, so each of it needs another of it: walking must loop. */
function cycleAmong(left: ReadonlySet<string>, needsOf: NeedsOf): string[] {
  const path: string[] = [];
  const seen = new Map<string, number>();
  let name = first(left);
  while (name !== undefined && !seen.has(name)) {
    const current: string = name;
    seen.set(current, path.length);
    path.push(current);
    name = first(needsOf(current).filter((need) => need !== current && left.has(need)));
  }
  const loop = path.slice(name === undefined ? 0 : seen.get(name));
  const at = loop.indexOf(first(loop) ?? '');
  const turned = [...loop.slice(at), ...loop.slice(0, at)];
  return [...turned, ...turned.slice(0, 1)];
}

function first(names: Iterable<string>): string | undefined {
  let least: string | undefined;
  for (const name of names) if (least === undefined || name < least) least = name;
  return least;
}

function descending(a: string, b: string): number {
  return a < b ? 1 : a > b ? -1 : 0;
}

/** Keeps `sorted` descending, so that the first by name is popped from its end. */
function insert(sorted: string[], name: string): void {
  let lo = 0;
  let hi = sorted.length;
  while (lo < hi) {
    const middle = (lo + hi) >> 1;
    if ((sorted[middle] ?? '') > name) lo = middle + 1;
    else hi = middle;
  }
  sorted.splice(lo, 0, name);
}
