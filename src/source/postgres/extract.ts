import type { ExtractSpec } from '../../contracts/plan.js';
import { quoteIdent, quoteLiteral, quoteTable } from '../../postgres/quote.js';
import { instantLiteral, within, type TimeColumn } from '../../postgres/time.js';

/** An interval as SQL reads it: `2013-01-01T00:00:00.000Z`, `-infinity`. */
export interface SqlInterval {
  readonly start: string;
  readonly end: string;
}

/** The time column of an extract, as the source has it. */
export function sourceTime({ time }: ExtractSpec): TimeColumn | null {
  return time === undefined ? null : { ...time, unit: time.unit, timezone: time.timezone ?? 'UTC' };
}

/** `COPY (…) TO STDOUT` of one interval. COPY binds nothing: values are canonical literals, at the parser's positions. */
export function copyOutSql(spec: ExtractSpec, interval: SqlInterval, more: readonly string[] = []): string {
  const format = isBinary(spec) ? ' WITH (FORMAT binary)' : '';
  return `COPY (${selectSql(spec, interval, more)}) TO STDOUT${format}`;
}

/** Binary moves only what is of identical type on both sides, from a fixed list; all columns or none. */
export function isBinary({ columns }: ExtractSpec): boolean {
  return columns.every(({ binary }) => binary);
}

/** What is read of an interval; rows are called `sluice_s` in the conditions under `more`. */
export function selectSql(spec: ExtractSpec, interval: SqlInterval, more: readonly string[] = []): string {
  const list = spec.columns.map(({ name, cast }) =>
    cast === undefined ? quoteIdent(name) : `${quoteIdent(name)}::${cast}`,
  );
  const items = list.map((item) => `sluice_s.${item}`).join(', ');
  return `SELECT ${items} FROM ${relationSql(spec, interval)} AS sluice_s${whereSql(spec, interval, more)}`;
}

/** ` WHERE …` of an interval, or nothing. */
export function whereSql(spec: ExtractSpec, { start, end }: SqlInterval, more: readonly string[] = []): string {
  // A query that takes the interval is taken at its word, and what it yields is judged: a filter here would hide rows outside.
  const time = spec.params.length > 0 ? null : sourceTime(spec);
  const inside = time === null ? [] : [within(time, instantLiteral(start), instantLiteral(end), 'sluice_s')];
  const all = [...inside, ...more];
  return all.length === 0 ? '' : ` WHERE ${all.join(' AND ')}`;
}

/** The table, or the query with its `$1` and `$2` replaced by literals. */
export function relationSql({ table, query, params }: ExtractSpec, { start, end }: SqlInterval): string {
  if (table !== undefined) return quoteTable(table);
  let sql = query ?? '';
  for (const param of [...params].sort((a, b) => b.start - a.start)) {
    const literal = `${quoteLiteral(param.name === 'start' ? start : end)}::timestamptz`;
    sql = sql.slice(0, param.start) + literal + sql.slice(param.end);
  }
  return `(${sql}\n)`;
}
