import { isNode, nodesOf } from './parser.js';
import type { Node } from './parser.js';

/** Something in the tree that a statement of sluice may not hold. */
export interface Refusal {
  readonly code: 'data_modifying_cte' | 'select_into' | 'locking_clause' | 'table_command';
  /** In bytes; undefined where the tree has none. */
  readonly location: unknown;
}

/** What a walk over a parse tree finds; `location`s are the tree's own, in bytes. */
export interface Findings {
  /** Every table that is read: names that a CTE in scope shadows are left out. */
  readonly tables: Node[];
  /** Column references of three names or more, which may begin with a schema: `s.t.c`. */
  readonly columns: { readonly names: readonly string[]; readonly location: unknown }[];
  /** Functions called, as written, `schema.name` where qualified. */
  readonly functions: Set<string>;
  readonly refusals: Refusal[];
}

type Scope = ReadonlySet<string>;

/**
 * Walks the whole tree of a statement, expressions and subqueries included. A CTE shadows a table in the query that it belongs
 * to: each one those after it, and under RECURSIVE all of them each other, as in PostgreSQL.
 */
export function walk(statement: Node): Findings {
  const findings: Findings = { tables: [], columns: [], functions: new Set(), refusals: [] };
  visit(statement, new Set(), findings);
  return findings;
}

function visit(value: unknown, scope: Scope, findings: Findings): void {
  if (Array.isArray(value)) {
    for (const item of value) visit(item, scope, findings);
    return;
  }
  if (!isNode(value)) return;
  noteClauses(value, findings);
  const { withClause } = value;
  const inner = isNode(withClause) ? visitWith(withClause, scope, findings) : scope;
  for (const type of Object.keys(value)) {
    const child = value[type];
    if (type !== 'withClause' && typeof child === 'object') visitChild(type, child, inner, findings);
  }
}

function visitChild(type: string, child: unknown, scope: Scope, findings: Findings): void {
  if (isNode(child)) {
    if (/^(Insert|Update|Delete|Merge)Stmt$/.test(type)) {
      findings.refusals.push({ code: 'data_modifying_cte', location: locationOf(child['relation']) });
      return;
    }
    if (type === 'RangeVar') {
      const shadowed = child['schemaname'] === undefined && scope.has(String(child['relname']));
      if (!shadowed) findings.tables.push(child);
      return;
    }
    if (type === 'FuncCall') findings.functions.add(stringsOf(child['funcname']).join('.'));
    if (type === 'ColumnRef') {
      const { fields, location } = child;
      if (nodesOf(fields).length > 2) findings.columns.push({ names: stringsOf(fields), location });
      return;
    }
  }
  visit(child, scope, findings);
}

/** Clauses that are fields of a query rather than nodes of their own. */
function noteClauses(query: Node, { refusals }: Findings): void {
  const { intoClause, lockingClause, targetList, fromClause } = query;
  if (isNode(intoClause)) refusals.push({ code: 'select_into', location: locationOf(intoClause['rel']) });
  const from = nodesOf(fromClause)[0]?.['RangeVar'];
  if (Array.isArray(lockingClause)) refusals.push({ code: 'locking_clause', location: locationOf(from) });
  // `TABLE x` is parsed as `SELECT * FROM x` whose star stands nowhere.
  const star = nodesOf(targetList)[0]?.['ResTarget'];
  if (isNode(star) && star['location'] === -1) refusals.push({ code: 'table_command', location: locationOf(from) });
}

function visitWith(clause: Node, scope: Scope, findings: Findings): Scope {
  const ctes = nodesOf(clause['ctes']).flatMap(({ CommonTableExpr: cte }) => (isNode(cte) ? [cte] : []));
  const inner = new Set(scope);
  if (clause['recursive'] === true) for (const cte of ctes) inner.add(String(cte['ctename']));
  for (const cte of ctes) {
    visit(cte['ctequery'], new Set(inner), findings);
    inner.add(String(cte['ctename']));
  }
  return inner;
}

function locationOf(node: unknown): unknown {
  return isNode(node) ? node['location'] : undefined;
}

/** The texts of a list of `{ String: { sval } }`; other nodes (`*`) are left out. */
export function stringsOf(list: unknown): string[] {
  const texts: string[] = [];
  for (const { String: text } of nodesOf(list))
    if (isNode(text) && typeof text['sval'] === 'string') texts.push(text['sval']);
  return texts;
}
