import type { DbtMacro, DbtNode, Manifest } from './manifest.js';
import { codeOf, piecesOf } from './jinja.js';

/** Packages that dbt itself consists of: what their macros do is known by their names. */
const OWN = /^macro\.(?:dbt|dbt_postgres)\./;

/** The code that writes a model's SQL: its own, and that of the macros that it calls, and they. */
export interface Code {
  /** Expressions and blocks of the model, without the strings in them; undefined where the manifest has no raw code. */
  readonly model: string | undefined;
  /** The same of each macro that is not dbt's own, by name; undefined where the manifest does not have it. */
  readonly macros: ReadonlyMap<string, string | undefined>;
  /** dbt's own macros that these call. */
  readonly own: ReadonlySet<string>;
}

export function codeOfModel({ raw_code, depends_on }: DbtNode, { macros }: Manifest): Code {
  const found = new Map<string, string | undefined>();
  const own = new Set<string>();
  const seen = new Set<string>();
  const visit = (id: string): void => {
    if (seen.has(id)) return;
    seen.add(id);
    const macro: DbtMacro | undefined = Object.hasOwn(macros, id) ? macros[id] : undefined;
    const name = id.replace(/^macro\./, '');
    if (OWN.test(id)) own.add(name.replace(/^\w+\./, ''));
    else found.set(name, macro && codeIn(macro.macro_sql));
    for (const next of macro?.depends_on?.macros ?? []) visit(next);
  };
  for (const id of depends_on?.macros ?? []) visit(id);
  return { model: raw_code === undefined ? undefined : codeIn(raw_code), macros: found, own };
}

function codeIn(template: string): string {
  return piecesOf(template).map(codeOf).join('\n');
}
