/** A copy of the working tree to plant bugs in: nobody else sees them, and a build follows each within seconds. */
import { spawnSync } from 'node:child_process';
import { chmodSync, cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { plantEdits, type Edit } from '../support/edits.js';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

export interface Copy {
  readonly dir: string;
  /** Where the tests of the copy keep their files: whatever is at work there is theirs. */
  readonly tmp: string;
  /** Plants the bug of an entry, or none, and takes the one before out. Returns what keeps it from being built. */
  readonly become: (edits: readonly Edit[]) => string | undefined;
  readonly remove: () => void;
}

export function copyTree(): Copy {
  const top = mkdtempSync(join(tmpdir(), 'promises-'));
  const [dir, tmp] = [join(top, 'tree'), join(top, 't')];
  mkdirSync(tmp);
  // PostgreSQL may run as a user of its own, who must get there.
  chmodSync(top, 0o755);
  for (const file of treeFiles()) cpSync(join(ROOT, file), join(dir, file));
  linkPackages(dir);
  const before = new Map<string, string>();
  return {
    dir,
    tmp,
    become: (edits) => {
      for (const [path, text] of before) writeFileSync(path, text);
      before.clear();
      for (const [file] of edits) before.set(join(dir, file), readFileSync(join(dir, file), 'utf8'));
      try {
        plantEdits(dir, edits);
      } catch (error) {
        return String(error);
      }
      return build(dir);
    },
    remove: () => {
      rmSync(top, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

/** What git knows, and what it would know with `git add`. */
function treeFiles(): string[] {
  const args = ['ls-files', '-z', '--cached', '--others', '--exclude-standard'];
  const { status, stdout, stderr } = spawnSync('git', args, { cwd: ROOT, encoding: 'utf8' });
  if (status !== 0) throw new Error(`git ls-files: ${stderr}`);
  return stdout.split('\0').filter((file) => file !== '' && existsSync(join(ROOT, file)));
}

/** Links, but for `.bin`: the build makes the command's link there, and it must lead to the copy. */
function linkPackages(dir: string): void {
  const [from, to] = [join(ROOT, 'node_modules'), join(dir, 'node_modules')];
  mkdirSync(to);
  for (const name of readdirSync(from)) if (name !== '.bin') symlinkSync(join(from, name), join(to, name));
}

function build(dir: string): string | undefined {
  const args = ['--import', 'tsx', 'src/worker/build.ts'];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { cwd: dir, encoding: 'utf8' });
  if (status === 0) return undefined;
  return `${stdout}${stderr}`.trim().split('\n')[0] ?? 'the build failed';
}
