import { createHash } from 'node:crypto';
import type { Need } from '../core/graph/need.js';
import type { Draft } from './draft.js';
import type { ExtractBody, Statement } from './project.js';
import { canonicalJson, withoutLocations } from './sql/canonical.js';
import { parseTree } from './sql/parser.js';

/** Raised when what the hash covers changes: then every dataset counts as newly defined, which the changelog must say. */
const FORMAT = 1;

/**
 * The definition version: 16 hex digits over what decides a dataset's content. Its query as PostgreSQL's parser sees it, so
 * neither blanks nor comments count; what is read or called, axis, time, key, mappings and masks. Owner, tags, budgets, `start` and such do not.
 */
export function definitionVersion(draft: Draft, needs: readonly Need[]): string {
  const { axis, settings, kind, parsed, extract, call } = draft;
  const definition = {
    format: FORMAT,
    kind,
    axis: { grain: axis.grain, zone: axis.zone },
    time: settings.time,
    key: settings.key,
    publish: settings.publish === 'replace' || kind === 'call' ? undefined : settings.publish,
    mask: settings.mask === undefined || kind === 'call' ? undefined : [...settings.mask].sort(),
    needs: needs.map(({ dataset, lookback, window }) => ({ dataset, lookback, window })),
    sql: parsed && withoutLocations(parsed.tree),
    extract: extract && extractDefinition(extract),
    // Where and for how long it runs does not change what it does.
    call: call && { activity: call.activity },
  };
  return sha256(canonicalJson(definition)).slice(0, 16);
}

function extractDefinition({ from, table, query, time, sourceTimezone }: ExtractBody): unknown {
  return { from, table, query: query && treeOf(query), time, sourceTimezone };
}

function treeOf({ text }: Statement): unknown {
  const tree = parseTree(text);
  return 'code' in tree ? text : tree.statements.map(({ node }) => withoutLocations(node));
}

export function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
