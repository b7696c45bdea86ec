import type { TableName } from '../contracts/table.js';
import type { PartialExtractYaml } from '../contracts/project.js';
import type { Config } from './config.js';
import { report } from './draft.js';
import { badTable } from './mistakes.js';
import type { Draft } from './draft.js';
import { parseTableName } from './names.js';
import { didYouMean } from './nearest.js';
import type { ExtractBody, Statement } from './project.js';
import { parseStatement } from './sql/statement.js';
import { problemAt } from './text.js';
import type { Flags } from './text.js';

type At = Pick<Draft, 'file' | 'source' | 'problems'>;

/** Checks what stands under `extract:`; undefined where something that it cannot do without is wrong. */
export function readExtract(yaml: PartialExtractYaml, at: At, config: Config): ExtractBody | undefined {
  const { connections, flags } = config;
  const { from, source_timezone: sourceTimezone } = yaml;
  if (from !== undefined && connections && !connections.has(from)) {
    const known = [...connections.keys()];
    const remedy = didYouMean(from, known, `connections: ${known.join(', ')}`);
    report(at, ['extract', 'from'], {
      code: 'unknown_connection',
      message: `extract.from: there is no connection ${from}`,
      remedy,
    });
  }
  const read = whatIsRead(yaml, at, flags);
  const time = typeof yaml.time === 'string' ? { column: yaml.time } : yaml.time;
  if (from === undefined || !read) return undefined;
  return {
    kind: 'extract',
    from,
    ...read,
    ...(time === undefined
      ? {}
      : { time: { column: time.column, ...(time.unit === undefined ? {} : { unit: time.unit }) } }),
    ...(sourceTimezone === undefined ? {} : { sourceTimezone }),
  };
}

function whatIsRead(
  { table, query }: PartialExtractYaml,
  at: At,
  flags: Flags,
): { table: TableName } | { query: Statement } | undefined {
  if ((table === undefined) === (query === undefined)) {
    // One that is written but wrong has been reported.
    const written = at.problems.some(({ message }) => /^extract\.(table|query)/.test(message));
    const message =
      table === undefined ? 'extract reads neither a table nor a query' : 'extract reads a table and a query';
    if (!written)
      report(at, ['extract'], {
        code: 'table_or_query',
        message,
        remedy: 'write one of extract.table and extract.query',
      });
    return undefined;
  }
  if (query !== undefined) return readQuery(query, at, flags);
  const parsed = parseTableName(table ?? '', 'public');
  if (!parsed) report(at, ['extract', 'table'], badTable('extract.table', table ?? ''));
  return parsed && { table: parsed };
}

/** The query reads the source, where no dataset is: its tables are not lineage. */
function readQuery(query: string, at: At, flags: Flags): { query: Statement } | undefined {
  const locate = at.source?.locateIn(['extract', 'query']) ?? (() => ({ line: 1, column: 1 }));
  const { parsed, mistakes } = parseStatement(query, locate, flags);
  for (const { offset, ...mistake } of mistakes) at.problems.push(problemAt(at.file, locate(offset), mistake));
  return parsed && { query: parsed.statement };
}
