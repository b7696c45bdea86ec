import { distance } from 'fastest-levenshtein';

/** The candidate that was probably meant, or undefined: at most a third of the letters may differ, case aside; two that changed places are one. */
export function nearest(name: string, candidates: Iterable<string>): string | undefined {
  const written = name.toLowerCase();
  let best: string | undefined;
  let least = Math.max(1, Math.floor(name.length / 3)) + 1;
  for (const candidate of candidates) {
    const known = candidate.toLowerCase();
    const changes = isSwapped(written, known) ? 1 : distance(written, known);
    // An edit makes any letter into any other: that is no likeness.
    if (changes < least && changes < Math.max(name.length, candidate.length)) [best, least] = [candidate, changes];
  }
  return best;
}

/** Whether two neighbouring letters changed places, and nothing else. */
function isSwapped(a: string, b: string): boolean {
  let at = 0;
  while (at < a.length && a[at] === b[at]) at++;
  const swapped = `${a.slice(0, at)}${a[at + 1] ?? ''}${a[at] ?? ''}${a.slice(at + 2)}`;
  return a !== b && swapped === b;
}

/** `did you mean x?`, or what else to do when nothing is near. */
export function didYouMean(name: string, candidates: Iterable<string>, otherwise: string): string {
  const near = nearest(name, candidates);
  return near === undefined ? otherwise : `did you mean ${near}?`;
}
