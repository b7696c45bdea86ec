import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** A bug to be planted: what stands in a file exactly once, and what takes its place. */
export type Edit = readonly [file: string, from: string, to: string];

/** Those that cannot be planted: a bug whose place is not there once, or is there twice, must be planted anew. */
export function misplaced(edits: readonly Edit[], read: (file: string) => string | undefined): string[] {
  return edits.filter(([file, from]) => read(file)?.split(from).length !== 2).map(([file, from]) => `${file}: ${from}`);
}

/** Plants them in the files of a folder, one after the other. @throws Error for one that is misplaced */
export function plantEdits(folder: string, edits: readonly Edit[]): void {
  for (const edit of edits) {
    const [file, from, to] = edit;
    const text = readFileSync(join(folder, file), 'utf8');
    const [wrong] = misplaced([edit], () => text);
    if (wrong !== undefined) throw new Error(`not exactly once in ${wrong}`);
    writeFileSync(
      join(folder, file),
      text.replace(from, () => to),
    );
  }
}
