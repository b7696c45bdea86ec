import { ephemeralProblem } from './batches.js';
import { frozenIn } from './constants.js';
import { incrementalOf } from './incremental.js';
import { codeOfModel } from './macros.js';
import type { DbtNode, Manifest } from './manifest.js';
import { axisOf, type BatchAxis } from './axis.js';
import { cutName, datasetNames, keyOf, tableOf, type DbtTable } from './names.js';
import { referredBy, tablesIn, writtenName } from './refs.js';

/** A model that becomes a dataset. */
export interface Carried {
  readonly node: DbtNode;
  readonly axis: BatchAxis | 'whole';
  readonly table: DbtTable;
  readonly notes: readonly string[];
}

/** The models that become datasets, by dbt's id, and what they become. */
export interface Chosen {
  readonly carried: ReadonlyMap<string, Carried>;
  readonly names: ReadonlyMap<string, string>;
  /** Of the project: most of them are there. */
  readonly schema: string;
}

/** Chooses the models that may become datasets; of the others the reason goes to `refused`. */
export function chooseModels(manifest: Manifest, refused: Map<string, string>): Chosen {
  const models = Object.entries(manifest.nodes).filter(([, { resource_type: type }]) => type === 'model');
  const warehouse = commonest(models.flatMap(([, { database }]) => database ?? []));
  const carried = new Map<string, Carried>();
  const owners = new Map<string, string>();
  for (const [id, node] of models) {
    if (refused.has(id)) continue;
    const judged = judge(node, manifest, warehouse);
    const owner = owners.get(keyOf(tableOf(node)));
    if (typeof judged === 'string') refused.set(id, judged);
    else if (owner !== undefined) refused.set(id, `its table is that of ${owner} too`);
    else {
      carried.set(id, judged);
      owners.set(keyOf(judged.table), id);
    }
  }
  const tables = [...carried].map(([id, { table }]) => ({ id, table }));
  const schema = commonest(tables.map(({ table }) => table.schema)) ?? 'analytics';
  const outside = [...tablesIn(manifest).values()].map(tableOf);
  const taken = outside.filter((table) => table.schema === schema && !owners.has(keyOf(table))).map(({ name }) => name);
  return { carried, schema, names: datasetNames(tables, schema, new Set(taken)) };
}

/** A model that may become a dataset, or why not. */
function judge(node: DbtNode, manifest: Manifest, warehouse: string | undefined): Carried | string {
  const axis = axisOf(node);
  const table = tableOf(node);
  if (axis !== 'whole' && 'refused' in axis) return axis.refused;
  if (!node.compiled_code?.trim()) return 'the manifest has no compiled SQL of it: run `dbt compile`';
  if (node.compiled_code.includes('_dbt_et_filter_subq_'))
    return 'it is compiled for one interval: compile without --event-time-start and --sample';
  if (node.compiled_code.includes('_dbt_limit_subq_')) return 'it is compiled without rows: compile without --empty';
  if (table.database !== undefined && warehouse !== undefined && table.database !== warehouse)
    return `it is in the database ${table.database}, and others are in ${warehouse}: a project has one warehouse`;
  const cut = cutName(table);
  if (cut !== undefined) return cut;
  const ephemeral = axis === 'whole' ? undefined : ephemeralProblem(node, manifest);
  if (ephemeral !== undefined) return ephemeral;
  const code = codeOfModel(node, manifest);
  const referred = referredBy(node, manifest);
  const incremental = incrementalOf(node, code, (mention) => {
    const found = referred(mention);
    return found && writtenName(found);
  });
  if (incremental && 'refused' in incremental) return incremental.refused;
  const { refused, notes } = frozenIn(code);
  if (refused !== undefined) return refused;
  if (!incremental) return { node, axis, table, notes };
  const note = 'it is compiled as is_incremental(): its SQL here is that of --full-refresh, out of its own text';
  return { node: { ...node, compiled_code: incremental.whole }, axis, table, notes: [note, ...notes] };
}

function commonest(names: readonly string[]): string | undefined {
  const counts = new Map<string, number>();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  return [...counts].sort(([a, n], [b, m]) => m - n || (a < b ? -1 : 1))[0]?.[0];
}
