import { isNode } from '../sql/parser.js';

/** What gives another answer as time passes, or each time. */
const FLEETING = new Set(
  `now clock_timestamp statement_timestamp transaction_timestamp timeofday random random_normal gen_random_uuid uuid_generate_v4 uuidv4 uuidv7`.split(
    ' ',
  ),
);
/** Words that a cast to a time reads as one of today. */
const TODAY = /^\s*(now|today|tomorrow|yesterday)\s*$/i;

/** What in a statement depends on when it runs, as it is written there: dbt builds such a model anew at each run. */
export function fleetingIn(tree: unknown): string[] {
  const found = new Set<string>();
  const visit = (value: unknown): void => {
    if (Array.isArray(value)) for (const item of value) visit(item);
    if (!isNode(value)) return;
    for (const [type, child] of Object.entries(value)) {
      const name = isNode(child) ? nameOf(type, child) : undefined;
      if (name !== undefined) found.add(name);
      visit(child);
    }
  };
  visit(tree);
  return [...found].sort();
}

function nameOf(type: string, node: Readonly<Record<string, unknown>>): string | undefined {
  if (type === 'SQLValueFunction') {
    const { op: written } = node;
    const op = (typeof written === 'string' ? written : '').replace(/^SVFOP_|_N$/g, '');
    return /TIME|DATE/.test(op) ? op.toLowerCase() : undefined;
  }
  if (type === 'FuncCall') {
    const [name] = textsIn(Array.isArray(node['funcname']) ? node['funcname'].slice(-1) : []);
    const args = Array.isArray(node['args']) ? node['args'].length : 0;
    const isAge = name === 'age' && args === 1;
    return name !== undefined && (isAge || FLEETING.has(name)) ? `${name}()` : undefined;
  }
  if (type !== 'TypeCast') return undefined;
  const [text] = textsIn(node['arg']).filter((one) => TODAY.test(one));
  return text === undefined ? undefined : `'${text}'`;
}

/** Texts of a constant or a name, at whatever depth the parser keeps them. */
function textsIn(value: unknown): string[] {
  if (Array.isArray(value)) return value.flatMap(textsIn);
  if (!isNode(value)) return [];
  return Object.entries(value).flatMap(([key, child]) =>
    key === 'sval' && typeof child === 'string' ? [child] : textsIn(child),
  );
}
