import { quoteIdent, quoteTable } from '../../contracts/table.js';
import type { Mention } from './jinja.js';
import type { DbtNode, DbtSource, Manifest } from './manifest.js';
import { tableOf } from './names.js';

const REFERRED: readonly string[] = ['model', 'seed', 'snapshot'];

/** All that has a table, by dbt's id; of two that name one table the one that dbt makes comes last. */
export function tablesIn({ nodes, sources }: Manifest): Map<string, DbtNode | DbtSource> {
  const made = Object.entries(nodes).filter(
    ([, { resource_type: type, config }]) => REFERRED.includes(type) && config?.materialized !== 'ephemeral',
  );
  return new Map<string, DbtNode | DbtSource>([...Object.entries(sources), ...made]);
}

/** What `ref(…)` or `source(…)` in a model means; undefined where several could be meant, or none. */
export function referredBy(
  reader: DbtNode,
  { nodes, sources }: Manifest,
): (mention: Mention) => DbtNode | DbtSource | undefined {
  return ({ of, names, version }) => {
    const name = names.at(-1);
    if (of === 'source') {
      const found = Object.entries(sources).filter(([id]) => names.length === 2 && id.endsWith(`.${names.join('.')}`));
      return found.length === 1 ? found[0]?.[1] : undefined;
    }
    const known = reader.depends_on?.nodes ?? [];
    const found = Object.entries(nodes).filter(
      ([id, node]) =>
        REFERRED.includes(node.resource_type) &&
        node.name === name &&
        (names.length < 2 || node.package_name === names[0] || id.split('.')[1] === names[0]) &&
        (known.length === 0 || known.includes(id)) &&
        node.version === (version ?? node.latest_version),
    );
    return found.length === 1 ? found[0]?.[1] : undefined;
  };
}

/** A table's name as dbt writes it into SQL; undefined for what has none. */
export function writtenName(node: DbtNode | DbtSource): string | undefined {
  if (node.config?.materialized === 'ephemeral') return undefined;
  const { database, ...table } = tableOf(node);
  return node.relation_name ?? [...(database === undefined ? [] : [quoteIdent(database)]), quoteTable(table)].join('.');
}
