import type { TableName } from '../contracts/table.js';
import type { Need } from '../core/graph/need.js';
import { floorTo } from '../core/time/axis.js';
import { ZERO } from '../core/time/duration.js';
import { readTime } from '../core/time/text.js';
import type { Draft } from './draft.js';
import { parseTableName } from './names.js';
import type { CallBody, Dataset, ExtractBody, Statement, TransformBody } from './project.js';
import { definitionVersion } from './version.js';

/** A draft without mistakes as a dataset, defaults filled in. */
export function finishDataset(
  draft: Draft,
  statement: Statement | undefined,
  needs: readonly Need[],
  table: TableName,
  unbounded?: readonly string[],
): Dataset {
  const { name, file, axis, settings } = draft;
  const { owner, description, freshness } = settings;
  return {
    name,
    file,
    axis,
    start: startOf(draft),
    readyAfter: settings.ready_after ?? ZERO,
    table,
    time: timeOf(draft),
    key: settings.key ?? [],
    needs,
    reads: (settings.reads ?? []).flatMap((text) => parseTableName(text, 'public') ?? []),
    allow: settings.allow ?? [],
    publish: settings.publish ?? 'replace',
    moves: settings.moves ?? (draft.kind === 'extract' ? 'follow' : 'fail'),
    storage: storageOf(draft),
    onSchemaChange: settings.on_schema_change ?? 'add',
    refresh: settings.refresh ?? 'never',
    ...(unbounded === undefined ? {} : { unbounded }),
    mask: settings.mask ?? [],
    grants: settings.grants ?? [],
    coalesce: settings.coalesce ?? 'auto',
    scan: settings.scan ?? 'auto',
    priority: settings.priority ?? 3,
    tags: settings.tags ?? [],
    columns: Object.entries(settings.columns ?? {}).map(([column, type]) => ({ name: column, type })),
    ...(settings.pool === undefined ? {} : { pool: settings.pool }),
    ...(owner === undefined ? {} : { owner }),
    ...(description === undefined ? {} : { description }),
    ...(freshness === undefined ? {} : { freshness }),
    version: definitionVersion(draft, needs),
    body: bodyOf(draft, statement),
  };
}

function startOf({ axis, settings }: Draft): number {
  if (axis.grain === 'none') return -Infinity;
  const start = readTime(settings.start ?? '', axis.zone);
  if (!start) throw new TypeError('a partitioned dataset without a start passed the checks');
  return floorTo(axis, start.start);
}

/** What stands under `defaults` is for tables with a time. */
function storageOf({ axis, kind, settings }: Draft): Dataset['storage'] {
  if (axis.grain === 'none' || kind === 'call' || settings.publish === 'view') return 'plain';
  return settings.storage ?? 'plain';
}

function timeOf({ axis, kind, extract, settings }: Draft): string | null {
  if (axis.grain === 'none' || kind === 'call') return null;
  return (kind === 'extract' ? extract?.time?.column : settings.time) ?? null;
}

function bodyOf(
  { extract, call, name }: Draft,
  statement: Statement | undefined,
): ExtractBody | TransformBody | CallBody {
  const body = extract ?? call;
  if (body) return body;
  if (statement) return { kind: 'transform', statement };
  throw new TypeError(`dataset ${name} passed the checks without a body`);
}
