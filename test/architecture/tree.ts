/** The repository as these tests see it: every file that a person wrote, as text. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

export const ROOT = fileURLToPath(new URL('../../', import.meta.url));

/** Path relative to the root, with `/`, and content. */
export interface SourceFile {
  readonly path: string;
  readonly text: string;
}

/** Folders that tools fill; `.git` is left out by name too, since a checkout may be a plain archive. */
const MADE = new Set(['node_modules', 'dist', '.git', '.sluice', 'histories']);
const TEXT = /\.(?:ts|js|json|md|sql|ya?ml|sh)$|(?:^|\/)(?:run|LICENSE|\.[a-z]+)$/;

function walk(folder: string): string[] {
  return readdirSync(join(ROOT, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = folder === '' ? entry.name : `${folder}/${entry.name}`;
    if (entry.isDirectory()) return MADE.has(entry.name) ? [] : walk(path);
    return entry.isFile() && !MADE.has(entry.name) && TEXT.test(path) ? [path] : [];
  });
}

/** Every file that a person wrote, sorted by path. */
export function allFiles(): SourceFile[] {
  return walk('')
    .sort()
    .map((path) => ({ path, text: readFileSync(join(ROOT, path), 'utf8') }));
}

const CODE = /^(?:src|workflows|activities|examples|bench|test)\/.*\.ts$/;

/** The TypeScript sources, fixtures left out. */
export function codeFiles(): SourceFile[] {
  return allFiles().filter(({ path }) => CODE.test(path) && !path.startsWith('test/fixtures/'));
}

export function parse({ path, text }: SourceFile): ts.SourceFile {
  return ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true);
}
