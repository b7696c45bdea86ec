/** The DDL of a plan: what is made is counted, what changes something that is there is shown; all of it on demand. */
import type { PlanDocument } from '../../contracts/plan.js';
import { plural } from './format.js';
import { span, wrap } from './text.js';
import type { Line, Screen } from './text.js';

const MADE: readonly (readonly [statement: RegExp, one: string, many: string])[] = [
  [/^CREATE SCHEMA/, 'schema', 'schemas'],
  [/^CREATE TABLE \S+ (?:PARTITION OF|\(LIKE)/, 'partition of a table', 'partitions of tables'],
  [/^CREATE TABLE/, 'table', 'tables'],
  [/^CREATE OR REPLACE VIEW/, 'view', 'views'],
  [/^CREATE (?:UNIQUE )?INDEX/, 'index', 'indexes'],
  [/^GRANT/, 'grant', 'grants'],
];
/** Belongs to the partition that a statement before it makes. */
const BESIDE = /^ALTER TABLE \S+ ATTACH PARTITION/;

/** Statements that alter or drop: a screen is no place for a thousand. */
const REST_MAX = 10;

/** `1 schema, 11 tables, 9 indexes to create` in a line, and below it whatever alters or drops. */
export function foldedDdl(statements: readonly string[], screen: Screen): Line[] {
  const counts = MADE.map(() => 0);
  const rest: string[] = [];
  for (const statement of statements) {
    const kind = MADE.findIndex(([pattern]) => pattern.test(statement));
    if (kind >= 0) counts[kind] = (counts[kind] ?? 0) + 1;
    else if (!BESIDE.test(statement)) rest.push(statement);
  }
  const made = MADE.flatMap(([, one, many], kind) => {
    const count = counts[kind] ?? 0;
    return count === 0 ? [] : [plural(count, one, many)];
  });
  const told =
    made.length === 0 ? [] : wrap(`${made.join(', ')} to create; --ddl prints the statements`, screen.width - 2);
  const more = rest.length - REST_MAX;
  return [
    ...told.map((text): Line => [span(`  ${text}`)]),
    ...wholeDdl(rest.slice(0, REST_MAX), screen),
    ...(more > 0 ? [[span(`  and ${plural(more, 'statement')} more: --ddl prints all`, 'faint')]] : []),
  ];
}

/** The statements themselves: someone may have to approve them. */
export function wholeDdl(statements: readonly string[], screen: Screen): Line[] {
  return statements.flatMap((statement) =>
    statement.split('\n').flatMap((row) => {
      const indent = /^ */.exec(row)?.[0].slice(0, 12) ?? '';
      return wrap(row, screen.width - 4 - indent.length).map((part, index): Line => [
        span(`  ${indent}${index > 0 ? '  ' : ''}${part}`),
      ]);
    }),
  );
}

/** Each once: what several datasets need, as their schema, is said by the first. */
export function statementsOf(datasets: PlanDocument['datasets']): string[] {
  return [...new Set(datasets.flatMap(({ ddl }) => ddl))];
}
