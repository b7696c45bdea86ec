import { stringify } from 'yaml';
import { PROJECT_FILE } from './config.js';
import { isNode } from './sql/parser.js';
import { sha256 } from './version.js';

export interface Definition {
  /** By path, sorted; what is registered. */
  readonly files: Readonly<Record<string, string>>;
  /** sha256 in hex: names the definition. */
  readonly hash: string;
}

/**
 * The files as they are registered: no URL of a connection may leave the machine of its author. `sluice.yaml` is written anew from
 * its values, because a comment or an anchor may hold a URL too. Reading the result gives the same definition again.
 */
export function definitionOf(files: Readonly<Record<string, string>>, projectYaml: unknown): Definition {
  const kept = {
    ...files,
    [PROJECT_FILE]: stringify(withoutUrls(projectYaml), { aliasDuplicateObjects: false, lineWidth: 0 }),
  };
  const entries = Object.entries(kept).sort(([a], [b]) => (a < b ? -1 : 1));
  return { files: Object.fromEntries(entries), hash: sha256(JSON.stringify(entries)) };
}

function withoutUrls(value: unknown): unknown {
  if (!isNode(value)) return value;
  const { connections, environments, ...rest } = value;
  return {
    ...rest,
    ...(connections === undefined ? {} : { connections: withoutUrlOf(connections) }),
    ...(environments === undefined ? {} : { environments: eachOf(environments, withoutUrls) }),
  };
}

function withoutUrlOf(connections: unknown): unknown {
  return eachOf(connections, (connection) => {
    if (!isNode(connection)) return connection;
    const { url: _url, ...rest } = connection;
    return rest;
  });
}

function eachOf(value: unknown, change: (child: unknown) => unknown): unknown {
  if (!isNode(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, child]) => [key, change(child)]));
}
