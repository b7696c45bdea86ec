import type { Code } from './macros.js';

/** Names of Jinja that stand for another value at every run of dbt. */
const FLEETING = /\b(run_started_at|invocation_id|thread_id|modules\s*\.\s*(?:datetime|pytz)|model\s*\.\s*batch)\b/;

/** Names whose values are fixed where dbt runs, or read of the database as it compiles. */
const CONSTANTS: readonly (readonly [RegExp, string])[] = [
  [
    /\b(env_var|target|flags)\b|\b(var)\s*\(/,
    'is in the SQL as it was when it was compiled: where it changes, compile and import again',
  ],
  [
    /\b(run_query|statement|load_result|get_column_values)\b|\b(adapter|graph)\s*\./,
    'was asked when it was compiled, and its answer is in the SQL: where that changes, compile and import again',
  ],
];

interface Frozen {
  readonly refused?: string;
  readonly notes: readonly string[];
}

/** What compiling has made a constant: a reason to refuse the model where every run of dbt has another value, else something to say. */
export function frozenIn(code: Code): Frozen {
  const texts: [string, string][] = [
    ['', code.model ?? ''],
    ...[...code.macros].map(([name, text]): [string, string] => [` (in the macro ${name})`, text ?? '']),
  ];
  for (const [where, text] of texts) {
    const name = FLEETING.exec(text)?.[1];
    if (name !== undefined)
      return { refused: `${name}${where} was compiled to a constant, which every run of dbt writes anew`, notes: [] };
  }
  const notes = new Set<string>();
  for (const [pattern, reason] of CONSTANTS) {
    for (const [where, text] of texts)
      for (const found of text.matchAll(new RegExp(pattern, 'g')))
        notes.add(`${found.slice(1).find(Boolean) ?? found[0]}${where} ${reason}`);
  }
  const asks = ['run_query', 'statement'].find((name) => code.own.has(name));
  const reason = CONSTANTS[1]?.[1] ?? '';
  if (asks !== undefined && ![...notes].some((note) => note.includes(reason))) notes.add(`the database ${reason}`);
  return { notes: [...notes] };
}
