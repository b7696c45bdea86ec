import { RequestError } from '../contracts/errors.js';
import type { Interval } from '../core/interval/interval.js';
import { errorFacts, isRefusedStatement } from '../postgres/error.js';
import { canBeTime } from '../postgres/time.js';
import type { Dataset, Project, TransformBody } from '../project/project.js';
import { renderStatement, type Rendered } from '../project/render.js';
import { sqlInstant } from '../store/ledger.js';
import type { PlanningDeps } from './deps.js';
import type { Statement } from './described.js';
import { coalescingOf } from './coalescing.js';
import { requireNoHiddenReads } from './function-reads.js';
import { requireSafeCalls } from './functions.js';
import { withParams } from './params.js';
import { enterZone, typesOf, type Scratch } from './scratch.js';
import { readsItself, withOwnTable } from './own-table.js';
import { requireReads } from './reads.js';
import { mayCallVolatile } from './volatiles.js';
import { requireZonedComparisons, requireZonedTime } from './zoneless.js';

export async function describeTransform(
  deps: PlanningDeps,
  scratch: Scratch,
  dataset: Dataset,
  body: TransformBody,
  window: Interval | undefined,
): Promise<Statement & { readonly tried: string }> {
  const { client } = scratch;
  const sql = transformSql(deps.project, body);
  const { columns, tried } = await withOwnTable(scratch, dataset, async () => {
    const statement = statementOf(deps.project, body, scratch.standIns);
    const text = withParams(statement);
    const found = await describeQuery(scratch, dataset, text);
    if (await mayCallVolatile(scratch, deps.project, dataset, text)) {
      await requireSafeCalls(
        client,
        dataset,
        withParams(statement, () => `'2000-01-01Z'`),
      );
    }
    await requireReads(client, deps.project, dataset);
    await requireNoHiddenReads(scratch, deps.project, dataset, body.statement.functions);
    await requireZonedComparisons(client, dataset, statement);
    return { columns: found, tried: text };
  });
  const type = columns.find(({ name }) => name === dataset.time)?.type;
  if (dataset.time !== null && type !== undefined && !canBeTime(type, undefined)) {
    throw new RequestError(
      'time_type',
      `${dataset.file}: column ${JSON.stringify(dataset.time)} is ${type}, which cannot be a time`,
      'select a timestamptz, timestamp or date as `time`',
    );
  }
  if (dataset.time !== null && type !== undefined) requireZonedTime(dataset, type);
  const coalescing = dataset.publish === 'view' ? undefined : coalescingOf(dataset, body, type ?? '');
  return {
    spec: {
      kind: 'transform',
      sql,
      usesStart: body.statement.params.some(({ name }) => name === 'start'),
      usesEnd: body.statement.params.some(({ name }) => name === 'end'),
      ...(window === undefined ? {} : { window: { start: sqlInstant(window.start), end: sqlInstant(window.end) } }),
      ...(coalescing === undefined ? {} : { coalescing }),
    },
    columns,
    tried,
    time: dataset.time === null || type === undefined ? null : { column: dataset.time, type },
    warnings: [],
  };
}

/** The SELECT that runs: each dataset is its table, `:start` and `:end` are `$1` and `$2`, or as `write` says. */
export function transformSql(project: Project, body: TransformBody, write?: Parameters<typeof withParams>[1]): string {
  return withParams(statementOf(project, body, new Map()), write);
}

/** The SELECT with each dataset replaced by its table, or by what stands in for it. */
function statementOf(project: Project, body: TransformBody, standIns: Scratch['standIns']): Rendered {
  return renderStatement(body.statement, (name) => {
    const table = standIns.get(name) ?? project.datasets.get(name)?.table;
    if (!table) throw new Error(`no dataset ${name}`);
    return table;
  });
}

/** Column names and types of a SELECT. Plans it whole, runs none of it. */
async function describeQuery(
  scratch: Scratch,
  dataset: Dataset,
  sql: string,
): Promise<{ name: string; type: string }[]> {
  const head = 'SELECT sluice_q.* FROM (';
  try {
    await enterZone(scratch, dataset.axis.zone);
    const { fields } = await scratch.client.query({
      text: `${head}${sql}\n) AS sluice_q WHERE $1::timestamptz < $2::timestamptz LIMIT 0`,
      values: ['2000-01-01Z', '2000-01-02Z'],
    });
    const types = await typesOf(
      scratch,
      fields.map(({ dataTypeID, dataTypeModifier }) => [dataTypeID, dataTypeModifier]),
    );
    return fields.map(({ name }, i) => ({ name, type: types[i] ?? 'text' }));
  } catch (error) {
    const { sqlstate, message, position } = errorFacts(error);
    if (!isRefusedStatement(sqlstate)) throw error;
    const place = position === undefined ? '' : `:${lineAt(sql, Number(position) - 1 - head.length)}`;
    const code = sqlstate === '42P01' ? 'missing_table' : sqlstate === '42703' ? 'missing_column' : 'sql_error';
    const own =
      code === 'missing_column' && readsItself(dataset)
        ? '; a column that it reads of itself is declared, with its type: `columns: { total: bigint }`'
        : '';
    throw new RequestError(
      code,
      `${dataset.file}${place}: ${message}`,
      `correct the SQL; \`sluice validate --connect\` checks every statement${own}`,
      { cause: error },
    );
  }
}

/** Rewriting adds no lines, so a line of the statement is a line of the file. */
function lineAt(sql: string, offset: number): number {
  return sql.slice(0, Math.max(0, offset)).split('\n').length;
}
