import { closeSync, fsyncSync, openSync, readFileSync, renameSync, writeFileSync } from 'node:fs';

/** Mode of everything that may hold a password. */
export const PRIVATE = 0o600;

/**
 * Writes a private file so that a reader, or a crash, sees the old text or the new and nothing between.
 * Synchronous on purpose: nothing may come between starting a process and writing down that it was started.
 */
export function writeAtomically(file: string, text: string): void {
  const draft = `${file}.${String(process.pid)}.tmp`;
  const handle = openSync(draft, 'w', PRIVATE);
  try {
    writeFileSync(handle, text);
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
  renameSync(draft, file);
}

/** The text of a file; `undefined` where it does not exist or cannot be read. */
export function readIfThere(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}

/** The value of a JSON file; `undefined` where it is missing or broken. Check its shape. */
export function readJson(file: string): unknown {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    return undefined;
  }
}

/** What a log holds from an offset in bytes on, for an error; at most its last 2,000 characters. */
export function tailOf(file: string, from: number): string {
  try {
    return readFileSync(file).subarray(from).toString('utf8').trimEnd().slice(-2_000);
  } catch {
    return '';
  }
}
