import { distance } from 'fastest-levenshtein';

/** The candidate that was probably meant, or undefined: at most a third of the letters may differ, case aside. */
export function nearest(name: string, candidates: Iterable<string>): string | undefined {
  let best: string | undefined;
  let least = Math.max(2, Math.floor(name.length / 3)) + 1;
  for (const candidate of candidates) {
    const changes = distance(name.toLowerCase(), candidate.toLowerCase());
    // Two edits make any two-letter word into any other: that is no likeness.
    if (changes < least && changes < Math.max(name.length, candidate.length)) [best, least] = [candidate, changes];
  }
  return best;
}

/** `did you mean x?`, or what else to do when nothing is near. */
export function didYouMean(name: string, candidates: Iterable<string>, otherwise: string): string {
  const near = nearest(name, candidates);
  return near === undefined ? otherwise : `did you mean ${near}?`;
}
