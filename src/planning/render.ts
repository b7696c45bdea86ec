import { sessionZone, type ExtractSpec } from '../contracts/plan.js';
import { BackfillRequest } from '../contracts/request.js';
import type { TableName } from '../contracts/table.js';
import { RequestError } from '../contracts/errors.js';
import { formatInstant, type Interval } from '../core/interval/interval.js';
import { systemError } from '../postgres/error.js';
import { ANSWERS } from '../postgres/pool.js';
import { quoteLiteral } from '../postgres/quote.js';
import type { Dataset, ExtractBody, TransformBody } from '../project/project.js';
import { selectSql } from '../source/postgres/extract.js';
import { sqlInstant } from '../store/ledger.js';
import { viewOf } from './defer.js';
import type { PlanningDeps } from './deps.js';
import { describeExtract } from './describe-extract.js';
import { transformSql } from './describe-transform.js';
import { draftPlan } from './plan.js';
import { followViews } from './reads.js';
import { openScratch } from './scratch.js';

/** The SELECT that builds a partition, as it can be typed. */
export interface RenderedSql {
  readonly dataset: string;
  /** Where it runs. */
  readonly connection: string;
  /** Where its rows go. */
  readonly target: TableName;
  readonly partition: { readonly start: string; readonly end: string };
  /** Settings of the session that the answer may depend on. */
  readonly settings: Readonly<Record<string, string>>;
  readonly sql: string;
}

/**
 * What runs for a partition, with its bounds as literals: made by the functions that make what really runs. Changes nothing.
 * @throws RequestError call_has_no_table, nothing_to_read
 */
export async function renderSql(deps: PlanningDeps, dataset: Dataset, partition: Interval): Promise<RenderedSql> {
  const { name, table, axis, body } = dataset;
  if (body.kind === 'call') {
    throw new RequestError(
      'call_has_no_table',
      `${name} is a call: an activity of yours does it, and no SQL runs`,
      'name an extract or a transform',
    );
  }
  const extract = body.kind === 'extract';
  return {
    dataset: name,
    connection: extract ? body.from : deps.project.warehouse,
    target: table,
    partition: { start: formatInstant(partition.start), end: formatInstant(partition.end) },
    settings: { TimeZone: sessionZone({ kind: body.kind, zone: axis.zone }), ...ANSWERS },
    sql: extract
      ? selectSql(await specOf(deps, dataset, body), sqlOf(partition))
      : await boundSql(deps, dataset, body, partition),
  };
}

/** In a transaction of the warehouse that is rolled back, as planning asks for it. */
async function specOf(deps: PlanningDeps, dataset: Dataset, body: ExtractBody): Promise<ExtractSpec> {
  const { warehouse } = deps.project;
  return deps
    .pool(warehouse)
    .use(async (client) => {
      await client.query('BEGIN');
      try {
        return (await describeExtract(deps, openScratch(client), dataset, body, undefined)).spec;
      } finally {
        await client.query('ROLLBACK');
      }
    })
    .catch((error: unknown) => {
      throw systemError(error, warehouse);
    });
}

async function boundSql(
  deps: PlanningDeps,
  dataset: Dataset,
  body: TransformBody,
  partition: Interval,
): Promise<string> {
  const view = await viewOf(deps.db, await followViews(deps), new Set([dataset.name]));
  const bounded = body.statement.params.length > 0;
  const { start, end } = sqlOf(bounded ? await boundsOf(deps, dataset, partition) : partition);
  return transformSql(view.project, body, ({ name }) => quoteLiteral(name === 'start' ? start : end));
}

/** A partition's own; those of `grain: none` go as far as what it reads is there, as if it were built now. */
async function boundsOf(deps: PlanningDeps, { name, axis }: Dataset, partition: Interval): Promise<Interval> {
  if (axis.grain !== 'none') return partition;
  const { project, environment } = { project: deps.project.name, environment: deps.project.environment };
  const request = BackfillRequest.parse({ project, environment, select: [name], rebuild: 'all' });
  const { result } = await draftPlan(deps, request);
  const window = result.datasets.find((one) => one.name === name)?.window;
  if (window !== undefined) return window;
  throw new RequestError(
    'nothing_to_read',
    `${name} reads from the start of its upstreams to their first gap, and nothing is there yet`,
    `build what it reads first: \`sluice backfill +${name}\``,
  );
}

function sqlOf({ start, end }: Interval): { start: string; end: string } {
  return { start: sqlInstant(start), end: sqlInstant(end) };
}
