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
  /** Datasets without a table: they can be waited for, and not read. */
  readonly calls: ReadonlySet<string>;
  readonly config: Config;
}

export function lookupOf(catalog: Catalog, calls: ReadonlySet<string>, config: Config): Lookup {
  const byTable = new Map([...catalog].map(([name, table]) => [showTable(table), name]));
  return { catalog, byTable, calls, config };
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
    const named = database === undefined ? datasetOf(relation, lookup) : undefined;
    // A call may fill a table of its own name, which then is declared as any other outside the project.
    const outside = named !== undefined && lookup.calls.has(named) && declared.has(shownIn('public', relation));
    const dataset = outside ? undefined : named;
    const timeless = draft.axis.grain === 'none';
    const mistake = mistakeOf(relation, { database, dataset, declared, self: draft.name, timeless, lookup });
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
  const table = shownIn('public', relation);
  if (dataset !== undefined && lookup.calls.has(dataset)) {
    return {
      code: 'call_has_no_table',
      message: `${dataset} is a call: it has no table to read`,
      remedy: `wait for it under needs:, and declare the table that it fills: reads: [${table}]`,
    };
  }
  if (dataset !== undefined || declared.has(table) || isSystem(relation)) return undefined;
  const declare = `declare it: reads: [${table.includes('"') ? `'${table}'` : table}]`;
  if (relation.schema !== undefined && lookup.config.connections?.has(relation.schema)) {
    return {
      code: 'undeclared_table',
      message: `${shown} is no dataset; ${relation.schema} is a connection`,
      remedy: `${OTHER_DATABASE}; or ${declare}`,
    };
  }
  const near = nearest(relation.name, lookup.catalog.keys());
  const remedy = near === undefined ? declare : `did you mean ${near}? Or ${declare}`;
  return { code: 'undeclared_table', message: `${shown} is neither a dataset nor declared under reads`, remedy };
}

function shownIn(fallback: string, { schema = fallback, name }: Relation): string {
  return showTable({ schema, name });
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

/**
 * What a dataset reads, by name, refined by its `needs:`; reports those that name what is not read. A call reads nothing that sluice can
 * see, and nobody can read a call: there, `needs` alone says who waits for whom. What a view hides only the database knows: planning looks.
 */
export function needsOf(draft: Draft, statement: Statement | undefined, { catalog, calls }: Lookup): Need[] {
  const read = new Set((statement?.relations ?? []).flatMap(({ dataset }) => (dataset === undefined ? [] : [dataset])));
  const refined = draft.settings.needs ?? {};
  for (const name of Object.keys(refined)) {
    if (name !== draft.name && (calls.has(name) || (mayHide(draft) && catalog.has(name)))) read.add(name);
    // SQL that can't be parsed reads who knows what.
    if (read.has(name) || (draft.kind === 'transform' && !statement)) continue;
    const place = draft.source?.placeOfKey(['needs', name]);
    draft.problems.push(problemAt(draft.file, place, unreadNeed(name, draft, catalog, read)));
  }
  return [...read].sort().map((dataset) => {
    const { lookback, window, stale } = (Object.hasOwn(refined, dataset) ? refined[dataset] : null) ?? {};
    return { dataset, ...(lookback && { lookback }), ...(window === 'all' && { window }), ...(stale && { stale }) };
  });
}

/** Whether it may wait for what its text does not show: a call for anything, a transform for what a view under `reads` is made of. */
function mayHide({ kind, settings }: Draft): boolean {
  return kind === 'call' || (kind === 'transform' && (settings.reads ?? []).length > 0);
}

function unreadNeed(name: string, { kind, ...draft }: Draft, catalog: Catalog, read: ReadonlySet<string>): Mistake {
  if (kind === 'call' && name === draft.name)
    return {
      code: 'not_supported_yet',
      message: `${name} needs itself: that is not supported yet`,
      remedy: 'leave it out of needs',
    };
  if (kind === 'extract')
    return {
      code: 'needs_unread',
      message: `needs: an extract reads no dataset such as ${name}`,
      remedy: `leave ${name} out of needs: an extract can wait for calls only`,
    };
  if (!catalog.has(name)) {
    const known = kind !== 'call' && read.size > 0 ? read : catalog.keys();
    const remedy = didYouMean(name, known, 'needs: holds datasets that the SQL reads, and calls');
    return { code: 'unknown_dataset', message: `needs: there is no dataset ${name}`, remedy };
  }
  return {
    code: 'needs_unread',
    message: `needs: the SQL does not read ${name}`,
    remedy: `leave ${name} out of needs, or read it`,
  };
}
