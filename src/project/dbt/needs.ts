import type { Problem } from '../../contracts/errors.js';

/** Files of models whose SQL reads beyond their batch, with the `needs:` that says so; the settings that the import wrote have none. */
export function withNeeds(
  files: Readonly<Record<string, string>>,
  problems: readonly Problem[],
): ReadonlyMap<string, { readonly text: string; readonly line: string }> {
  return new Map(
    problems.flatMap(({ code, file, write }) => {
      const text = files[file];
      // One that says something of its upstreams already is not guessed at further: it is refused, with the line to write.
      if (text?.includes('\nneeds:') === true) return [];
      if (code !== 'reads_beyond' || write === undefined || text?.startsWith('/*\n') !== true) return [];
      return [[file, { text: text.replace('/*\n', () => `/*\n${write}\n`), line: write }] as const];
    }),
  );
}
