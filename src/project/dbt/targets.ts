import { showTable } from '../names.js';
import { limitsOf } from './batches.js';
import type { Chosen } from './choose.js';
import { codeOfModel } from './macros.js';
import type { DbtNode, Manifest } from './manifest.js';
import { eventTimeOf, keyOf, tableOf, type DbtTable } from './names.js';
import { referredBy, tablesIn } from './refs.js';
import type { Rewriting, Target } from './rewrite.js';

/** What the tables of a model's SQL are. */
export function targetsFor(manifest: Manifest, { names }: Chosen, reader: string): (name: DbtTable) => Target {
  const own = manifest.nodes[reader]?.database;
  const tables = new Map<string, Target>();
  for (const [id, node] of tablesIn(manifest)) {
    const eventTime = eventTimeOf(node);
    const dataset = names.get(id);
    const table = {
      ...tableOf(node),
      ...(eventTime && { eventTime }),
      ...(dataset === undefined ? {} : { dataset }),
      ...(id === reader ? { unreadable: 'it reads itself (is_incremental): compile it with --full-refresh' } : {}),
    };
    tables.set(keyOf(table), table);
  }
  return (name) => {
    if (name.database !== undefined && own !== undefined && name.database !== own)
      return {
        ...name,
        unreadable: `it reads ${showTable({ schema: name.schema, name: name.name })} in the database ${name.database}: make an extract of that`,
      };
    return tables.get(keyOf(name)) ?? name;
  };
}

/** What of its inputs dbt limits to a batch of a microbatch model. */
export function limitsFor(manifest: Manifest, node: DbtNode): NonNullable<Rewriting['limits']> {
  const { raw_code: raw } = node;
  const referred = referredBy(node, manifest);
  const code = codeOfModel(node, manifest);
  return (table, times) => {
    // A manifest without raw code says no more than which tables are read.
    if (raw === undefined) return Array.from({ length: times }, () => true);
    const limits = limitsOf(
      { key: keyOf(table), times, schema: table.schema, name: table.name },
      raw,
      code,
      (mention) => {
        const found = referred(mention);
        return found && keyOf(tableOf(found));
      },
    );
    const shown = showTable({ schema: table.schema, name: table.name });
    return (
      limits ??
      `which of its reads of ${shown} dbt limits to a batch cannot be told: name it as {{ ref('…') }}, or {{ ref('…').render() }} where all of it is read`
    );
  };
}
