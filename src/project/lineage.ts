import type { TableName } from '../contracts/table.js';
import type { Need } from '../core/graph/need.js';
import type { Config } from './config.js';
import type { Draft } from './draft.js';
import { parseTableName, showTable } from './names.js';
import { didYouMean, nearest } from './nearest.js';
import type { Relation, Statement } from './project.js';
import { problemAt } from './text.js';
import type { Mistake } from './text.js';

/** Every dataset by its name, with its table: also those whose file has mistakes, so that one mistake is reported once. */
export type Catalog = ReadonlyMap<string, TableName>;

/** Where the datasets' tables are, to know a dataset by its table's name. */
export interface Lookup {
  readonly catalog: Catalog;
  readonly byTable: ReadonlyMap<string, string>;
  readonly config: Config;
}

export function lookupOf(catalog: Catalog, config: Config): Lookup {
  const byTable = new Map([...catalog].map(([name, table]) => [showTable(table), name]));
  return { catalog, byTable, config };
}

/** The dataset that a table's name in SQL means: by its table, or by its own name, bare or under the project's schema. */
export function datasetOf(
  { schema, name }: Pick<Relation, 'schema' | 'name'>,
  { catalog, byTable, config }: Lookup,
): string | undefined {
  if (schema === undefined) return catalog.has(name) ? name : undefined;
  return (
    byTable.get(showTable({ schema, name })) ?? (config.schemas.has(schema) && catalog.has(name) ? name : undefined)
  );
}

/** Matches the tables that a transform reads with datasets; reports what it may not read. */
export function resolveTables(draft: Draft, lookup: Lookup): Statement | undefined {
  if (!draft.parsed) return undefined;
  const { statement, databases, columns } = draft.parsed;
  const declared = new Set(
    (draft.settings.reads ?? [])
      .map((text) => parseTableName(text, 'public'))
      .flatMap((table) => (table ? [showTable(table)] : [])),
  );
  const relations = statement.relations.map((relation, index): Relation => {
    const database = databases.get(index);
    const dataset = database === undefined ? datasetOf(relation, lookup) : undefined;
    const mistake = mistakeOf(relation, {
      database,
      dataset,
      declared,
      self: draft.name,
      timeless: draft.axis.grain === 'none',
      lookup,
    });
    if (mistake) draft.problems.push(problemAt(draft.file, relation, mistake));
    return dataset === undefined ? relation : { ...relation, dataset };
  });
  refuseQualifiedColumns(draft, relations, columns);
  return { ...statement, relations };
}

interface Context {
  readonly database: string | undefined;
  readonly dataset: string | undefined;
  readonly declared: ReadonlySet<string>;
  readonly self: string;
  readonly timeless: boolean;
  readonly lookup: Lookup;
}

function mistakeOf(
  relation: Relation,
  { database, dataset, declared, self, timeless, lookup }: Context,
): Mistake | undefined {
  const { schema = 'public', name } = relation;
  const shown = showTable(relation);
  if (database !== undefined)
    return {
      code: 'other_database',
      message: `${database}.${shown}: a transform reads its own warehouse only`,
      remedy: OTHER_DATABASE,
    };
  if (dataset === self && timeless) {
    return {
      code: 'reads_itself_whole',
      message: `${self} reads itself, but with grain: none it has no partition before its own`,
      remedy: 'choose a grain: each partition then reads the one before; or leave itself out',
    };
  }
  if (dataset !== undefined || declared.has(showTable({ schema, name })) || isSystem(relation)) return undefined;
  const table = showTable({ schema, name });
  const declare = `declare it: reads: [${table.includes('"') ? `'${table}'` : table}]`;
  if (relation.schema !== undefined && lookup.config.connections?.has(relation.schema)) {
    return {
      code: 'undeclared_table',
      message: `${shown} is no dataset; ${relation.schema} is a connection`,
      remedy: `${OTHER_DATABASE}; or ${declare}`,
    };
  }
  const near = nearest(name, lookup.catalog.keys());
  const remedy = near === undefined ? declare : `did you mean ${near}? Or ${declare}`;
  return { code: 'undeclared_table', message: `${shown} is neither a dataset nor declared under reads`, remedy };
}

const OTHER_DATABASE = 'another database is read by an extract: a .yaml dataset with extract: { from, table }';

/** PostgreSQL's own catalogs: searched first for bare names, and no dataset may be called so. */
function isSystem({ schema, name }: Relation): boolean {
  return schema === undefined ? name.startsWith('pg_') : schema === 'pg_catalog' || schema === 'information_schema';
}

/** `schema.dataset.column` would no longer find its table once that stands elsewhere, under an alias. */
function refuseQualifiedColumns(
  draft: Draft,
  relations: readonly Relation[],
  columns: NonNullable<Draft['parsed']>['columns'],
): void {
  for (const { names, offset } of columns) {
    const [schema, table] = names;
    const relation = relations.find(
      (one) => one.dataset !== undefined && !one.aliased && one.schema === schema && one.name === table,
    );
    if (!relation) continue;
    const message = `${showTable(relation)}.… names a column by its schema, which differs between environments`;
    draft.problems.push(
      problemAt(draft.file, draft.locate(offset), {
        code: 'qualified_column',
        message,
        remedy: `write ${showTable({ name: relation.name })}.…`,
      }),
    );
  }
}

/** What a dataset reads, by name, refined by its `needs:`; reports those that name what is not read. */
export function needsOf(draft: Draft, statement: Statement | undefined, { catalog }: Lookup): Need[] {
  const read = new Set((statement?.relations ?? []).flatMap(({ dataset }) => (dataset === undefined ? [] : [dataset])));
  const refined = draft.settings.needs ?? {};
  for (const name of Object.keys(refined)) {
    // SQL that can't be parsed reads who knows what.
    if (read.has(name) || (draft.kind === 'transform' && !statement)) continue;
    const place = draft.source?.placeOfKey(['needs', name]);
    draft.problems.push(problemAt(draft.file, place, unreadNeed(name, draft, catalog, read)));
  }
  return [...read].sort().map((dataset) => {
    const { lookback, window, stale } = (Object.hasOwn(refined, dataset) ? refined[dataset] : null) ?? {};
    return { dataset, ...(lookback && { lookback }), ...(window && { window }), ...(stale && { stale }) };
  });
}

function unreadNeed(name: string, { kind }: Draft, catalog: Catalog, read: ReadonlySet<string>): Mistake {
  if (kind === 'extract')
    return {
      code: 'needs_unread',
      message: `needs: an extract reads no dataset such as ${name}`,
      remedy: 'leave needs out',
    };
  if (!catalog.has(name)) {
    const remedy = didYouMean(name, read.size > 0 ? read : catalog.keys(), 'needs: holds datasets that the SQL reads');
    return { code: 'unknown_dataset', message: `needs: there is no dataset ${name}`, remedy };
  }
  return {
    code: 'needs_unread',
    message: `needs: the SQL does not read ${name}`,
    remedy: `leave ${name} out of needs, or read it`,
  };
}
