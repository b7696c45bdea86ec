import { readdir, readFile, realpath, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { ProjectError, RequestError } from '../contracts/errors.js';
import type { Problem } from '../contracts/errors.js';
import { PROJECT_FILE } from './config.js';
import { isDatasetPath } from './layout.js';

/**
 * Reads a project's files, by path relative to `dir` and with `/`: `sluice.yaml` and `datasets/**` (`.yaml`, `.yml`, `.sql`; hidden
 * ones left out, symbolic links followed). Throws RequestError `no_project`, and ProjectError for a file that is not UTF-8.
 */
export async function readProjectFiles(dir: string): Promise<Record<string, string>> {
  const paths = [PROJECT_FILE, ...(await datasetPaths(dir, 'datasets', new Set()))];
  const problems: Problem[] = [];
  const files: Record<string, string> = {};
  for (const path of paths) {
    const bytes = await readRegular(join(dir, path)).catch((cause: unknown) => {
      throw path === PROJECT_FILE ? noProject(dir, cause) : unreadable(path, cause);
    });
    try {
      files[path] = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    } catch {
      problems.push({ file: path, code: 'not_utf8', message: 'this file is not UTF-8', remedy: 'save it as UTF-8' });
    }
  }
  if (problems.length > 0) throw new ProjectError(problems);
  return files;
}

/** Changes whenever one of the files changes, comes or goes that {@link readProjectFiles} reads; links are followed. */
export async function projectStamp(dir: string): Promise<string> {
  const paths = [PROJECT_FILE, ...(await datasetPaths(dir, 'datasets', new Set()))];
  const stamps = paths.map(async (path) => {
    const found = await stat(join(dir, path), { bigint: true }).catch(() => undefined);
    return [path, found?.ino, found?.size, found?.mtimeNs, found?.ctimeNs].join(' ');
  });
  return (await Promise.all(stamps)).join('\n');
}

/** A pipe or a device would be waited for without an end. */
async function readRegular(path: string): Promise<Buffer> {
  if (!(await stat(path)).isFile()) throw new Error(`${path} is no regular file`);
  return readFile(path);
}

function noProject(dir: string, cause: unknown): RequestError {
  const message = `there is no ${PROJECT_FILE} in ${dir}`;
  return new RequestError(
    'no_project',
    message,
    'make a project with: sluice init DIR, or name its folder with -p DIR',
    { cause },
  );
}

function unreadable(path: string, cause: unknown): RequestError {
  return new RequestError(
    'unreadable_file',
    `cannot read ${path}`,
    'it must be a file that whoever runs this may read',
    {
      cause,
    },
  );
}

/** `seen`: real paths of the folders on the way, against links that lead in a circle. */
async function datasetPaths(dir: string, folder: string, seen: ReadonlySet<string>): Promise<string[]> {
  const real = await realpath(join(dir, folder)).catch(() => undefined);
  if (real === undefined || seen.has(real)) return [];
  const within = new Set(seen).add(real);
  const paths: string[] = [];
  for (const name of (await readdir(real).catch(() => [])).sort()) {
    if (name.startsWith('.')) continue;
    const path = `${folder}/${name}`;
    const found = await stat(join(dir, path)).catch(() => undefined);
    if (found?.isDirectory()) paths.push(...(await datasetPaths(dir, path, within)));
    else if (isDatasetPath(path)) paths.push(path);
  }
  return paths;
}
