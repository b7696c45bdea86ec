import { RequestError } from '../contracts/errors.js';
import type { Mistake } from './text.js';

/** `${VAR}`, `${VAR:-default}`, `${file:/path}`; a default may hold anything but `}`. */
const PLACEHOLDER = /\$\{([^}]*)\}/g;
const VARIABLE = /^([A-Za-z_][A-Za-z0-9_]*)(?::-([\s\S]*))?$/;

export type Env = Readonly<Record<string, string | undefined>>;

/**
 * Resolves a connection's URL in the process that connects, on every connect: `${VAR}`, `${VAR:-default}` (also where VAR is
 * empty, as in a shell) and `${file:/run/secrets/x}` (its last line break left out).
 *
 * Throws RequestError `unset_variable`, `bad_variable` or `unreadable_file`, which name the variable and the connection, never a value.
 */
export async function resolveTemplate(
  text: string,
  env: Env,
  readFile: (path: string) => string | Promise<string>,
  connection: string,
): Promise<string> {
  const pieces: string[] = [];
  let at = 0;
  for (const match of text.matchAll(PLACEHOLDER)) {
    pieces.push(text.slice(at, match.index), await resolveOne(match[1] ?? '', env, readFile, connection));
    at = match.index + match[0].length;
  }
  return pieces.join('') + text.slice(at);
}

async function resolveOne(
  inner: string,
  env: Env,
  readFile: (path: string) => string | Promise<string>,
  connection: string,
): Promise<string> {
  if (inner.startsWith('file:')) {
    const path = inner.slice('file:'.length);
    try {
      return (await readFile(path)).replace(/\r?\n$/, '');
    } catch (cause) {
      const message = `connection ${connection}: cannot read the file ${path}`;
      throw new RequestError('unreadable_file', message, 'it must be readable by the process that connects', { cause });
    }
  }
  const value = lookUp(inner, env);
  if (typeof value === 'string') return value;
  throw new RequestError(value.code, `connection ${connection}: ${value.message}`, value.remedy);
}

/** Resolves the variables of a plain value; the mistakes are those of each variable that can't be. */
export function resolvePlain(text: string, env: Env): { readonly text: string; readonly mistakes: readonly Mistake[] } {
  const mistakes: Mistake[] = [];
  const resolved = text.replace(PLACEHOLDER, (whole, inner: string) => {
    const value = inner.startsWith('file:') ? FILE_OUTSIDE_URL : lookUp(inner, env);
    if (typeof value === 'string') return value;
    mistakes.push(value);
    return whole;
  });
  return { text: resolved, mistakes };
}

const FILE_OUTSIDE_URL: Mistake = {
  code: 'bad_variable',
  message: '${file:…} is read only in the url of a connection',
  remedy: 'write the value, or ${VAR}',
};

function lookUp(inner: string, env: Env): string | Mistake {
  const match = VARIABLE.exec(inner);
  if (!match?.[1]) {
    // What stands there may be a secret that was meant to be something else: it is not repeated.
    return {
      code: 'bad_variable',
      message: 'not a variable between ${ and }',
      remedy: 'write ${VAR}, ${VAR:-default} or ${file:/path}',
    };
  }
  const [, name, fallback] = match;
  const value = Object.hasOwn(env, name) ? env[name] : undefined;
  if (fallback !== undefined) return value === undefined || value === '' ? fallback : value;
  if (value !== undefined) return value;
  return {
    code: 'unset_variable',
    message: `the environment variable ${name} is not set`,
    remedy: `set ${name}, or write \${${name}:-default}`,
  };
}
