import type { Relation, Statement } from '../project.js';
import type { Flags, Locate, SqlMistake } from '../text.js';
import { tooDeepAt } from './depth.js';
import { writeFlags } from './flags.js';
import { bindParameters } from './params.js';
import type { Bound } from './params.js';
import { isNode, NO_STATEMENT, parseTree, scanTokens, TOO_DEEP } from './parser.js';
import type { Node, Token, Tree } from './parser.js';
import { walk } from './walk.js';
import type { Findings, Refusal } from './walk.js';

/** A statement as parsed, before its tables are matched with datasets. */
export interface Parsed {
  readonly statement: Statement;
  /** `{ SelectStmt: … }`. */
  readonly tree: Node;
  /** Tables named with a database too (`db.s.t`), by index of the relation. */
  readonly databases: ReadonlyMap<number, string>;
  /** Column references that may begin with a schema, with their offsets. */
  readonly columns: readonly { readonly names: readonly string[]; readonly offset: number }[];
}

export interface ParseOutcome {
  /** Absent when there is no tree to speak of. */
  readonly parsed?: Parsed;
  readonly mistakes: readonly SqlMistake[];
}

/** Parses the author's SQL (one SELECT) and finds what it reads; `locate` gives places in the author's file. */
export function parseStatement(source: string, locate: Locate, flags: Flags = new Map()): ParseOutcome {
  // A byte order mark is no SQL; a blank keeps every offset.
  const author = source.replace(/^\ufeff/, ' ');
  const scanned = scanTokens(author);
  if (!scanned) return { mistakes: [whyNotScanned(author)] };
  const { text, original, mistakes } = writeFlags(author, scanned, flags);
  if (text === author) return parseFlagged(author, scanned, locate);
  // Text without blanks or quotes of its own: it can be scanned as well.
  const found = parseFlagged(text, scanTokens(text) ?? [], (offset) => locate(original(offset)));
  const moved = found.mistakes.map((mistake) => ({ ...mistake, offset: original(mistake.offset) }));
  const columns = found.parsed?.columns.map((column) => ({ ...column, offset: original(column.offset) }));
  return {
    ...(found.parsed && columns ? { parsed: { ...found.parsed, columns } } : {}),
    mistakes: [...mistakes, ...moved],
  };
}

function parseFlagged(text: string, tokens: readonly Token[], locate: Locate): ParseOutcome {
  const deep = tooDeepAt(tokens);
  if (deep !== undefined) {
    return { mistakes: [{ offset: deep, ...TOO_DEEP }] };
  }
  const bound = bindParameters(text, tokens);
  const tree = parseTree(bound.text);
  if ('code' in tree) return { mistakes: [...bound.mistakes, tree] };
  return analyse(tree, bound, tokens, locate);
}

/** A statement whose tokens can't be cut: the parser knows why, once the parameters don't stop it first. */
function whyNotScanned(text: string): SqlMistake {
  const tree = parseTree(text.replaceAll(/:start\b/g, '$1    ').replaceAll(/:end\b/g, '$2  '));
  return 'code' in tree ? tree : { offset: 0, code: 'sql_error', message: 'SQL: this text cannot be scanned' };
}

function analyse(tree: Tree, bound: Bound, tokens: readonly Token[], locate: Locate): ParseOutcome {
  const [first, second] = tree.statements;
  const code = tokens.filter(({ kind }) => kind !== 'comment');
  if (!first) return { mistakes: [{ offset: 0, ...NO_STATEMENT }] };
  if (second) return { mistakes: [...bound.mistakes, severalStatements(code, second.start)] };
  const notSelect = refuseKind(first.node, code[0]?.start ?? 0);
  if (notSelect) return { mistakes: [...bound.mistakes, notSelect] };
  const findings = walk(first.node);
  const refused = findings.refusals.map((refusal) => refuse(refusal, tree, code[0]?.start ?? 0));
  const found = relationsOf(findings, tree, code, locate);
  const statement: Statement = {
    text: withoutSemicolons(bound.text, code),
    params: bound.params,
    relations: found.relations,
    functions: [...findings.functions].sort(),
  };
  const columns = findings.columns.map(({ names, location }) => ({ names, offset: tree.offsetOf(location) }));
  return {
    parsed: { statement, tree: first.node, databases: found.databases, columns },
    mistakes: [...bound.mistakes, ...refused],
  };
}

function severalStatements(code: readonly Token[], after: number): SqlMistake {
  const offset = code.find(({ start, text }) => start >= after && text !== ';')?.start ?? after;
  return {
    offset,
    code: 'several_statements',
    message: 'one file holds one statement; a second begins here',
    remedy: 'make it a dataset of its own',
  };
}

function refuseKind(node: Node, offset: number): SqlMistake | undefined {
  const select = node['SelectStmt'];
  if (isNode(select) && !Array.isArray(select['valuesLists'])) return undefined;
  if (isNode(select)) {
    return {
      offset,
      code: 'not_a_select',
      message: 'a bare VALUES names no columns',
      remedy: 'write SELECT * FROM (VALUES …) AS v (a, b)',
    };
  }
  return {
    offset,
    code: 'not_a_select',
    message: 'a dataset is one SELECT',
    remedy: 'write the query only: sluice creates the table and writes to it',
  };
}

const REFUSALS: Readonly<Record<Refusal['code'], { readonly message: string; readonly remedy: string }>> = {
  data_modifying_cte: {
    message: 'a query may not INSERT, UPDATE, DELETE or MERGE',
    remedy: 'write the query only: sluice writes its result',
  },
  select_into: { message: 'SELECT INTO makes a table of its own', remedy: 'leave INTO out: sluice writes the result' },
  locking_clause: {
    message: 'a query may not lock rows (FOR UPDATE, FOR SHARE)',
    remedy: 'leave the clause out: sluice reads one snapshot',
  },
  table_command: { message: 'TABLE x cannot be given an alias', remedy: 'write SELECT * FROM x' },
};

function refuse({ code, location }: Refusal, tree: Tree, fallback: number): SqlMistake {
  return { offset: location === undefined ? fallback : tree.offsetOf(location), code, ...REFUSALS[code] };
}

/** COPY and subqueries take no semicolon, and a last `--` comment must not swallow what follows. */
function withoutSemicolons(text: string, code: readonly Token[]): string {
  let clean = text;
  for (const { start, text: token } of code)
    if (token === ';') clean = `${clean.slice(0, start)} ${clean.slice(start + 1)}`;
  return clean.endsWith('\n') ? clean : `${clean}\n`;
}

function relationsOf(
  findings: Findings,
  tree: Tree,
  code: readonly Token[],
  locate: Locate,
): { relations: Relation[]; databases: Map<number, string> } {
  const indexes = new Map(code.map(({ start }, index) => [start, index]));
  const databases = new Map<number, string>();
  const found = findings.tables.map((table) => ({ table, start: tree.offsetOf(table['location']) }));
  const relations = found
    .sort((a, b) => a.start - b.start)
    .map(({ table, start }, position) => {
      const [database, schema] = [textOf(table['catalogname']), textOf(table['schemaname'])];
      if (database !== undefined) databases.set(position, database);
      const parts = (database === undefined ? 0 : 1) + (schema === undefined ? 0 : 1) + 1;
      const { end, aliasAt } = extentOf(code, indexes.get(start) ?? 0, parts);
      const name = { name: textOf(table['relname']) ?? '', ...(schema === undefined ? {} : { schema }) };
      return { ...name, start, end, aliasAt, ...locate(start), aliased: isNode(table['alias']) };
    });
  return { relations, databases };
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

/** Where a table's name of so many parts ends, and where an alias would go: after `*`, and outside `ONLY (…)`. */
function extentOf(code: readonly Token[], first: number, parts: number): { end: number; aliasAt: number } {
  let last = first + 2 * (parts - 1);
  // U&"d!0061" UESCAPE '!' is one name of three tokens.
  if (code[last + 1]?.text.toLowerCase() === 'uescape') last += 2;
  const end = code[last]?.end ?? 0;
  const only = code[first - 1]?.text === '(' && code[first - 2]?.text.toLowerCase() === 'only';
  const after = code[last + 1];
  return { end, aliasAt: after && (only || after.text === '*') ? after.end : end };
}
