import { IDENTIFIER_BYTES_MAX, isIdentifier, isSystemSchema, parseTableName } from './names.js';
import type { Config } from './config.js';
import { report } from './draft.js';
import type { Draft } from './draft.js';
import { badTable, badTime } from './mistakes.js';
import { didYouMean } from './nearest.js';
import { readTime } from '../core/time/text.js';
import { isNode } from './sql/parser.js';
import type { Path } from './yaml.js';

/** Checks the settings of one dataset against each other: what its grain needs, what this version cannot do yet, its names. */
export function checkSettings(draft: Draft, config: Config): void {
  checkTimeAxis(draft, config);
  checkPublish(draft);
  checkScan(draft);
  checkPool(draft, config);
  checkIdentifiers(draft);
}

function checkTimeAxis(draft: Draft, config: Config): void {
  const { settings, own, axis, kind, extract, source } = draft;
  if (settings.grain === undefined) {
    if (!wrote(draft, ['grain']) && !defaulted(config, 'grain'))
      report(draft, ['grain'], {
        code: 'missing_key',
        message: 'grain is missing',
        remedy: 'write grain: day (or 5m, 15m, hour, week, month, quarter, year, none), here or under defaults',
      });
    return;
  }
  const timePath: Path = kind === 'extract' ? ['extract', 'time'] : ['time'];
  const time = kind === 'extract' ? extract?.time : settings.time;
  if (axis.grain === 'none') {
    if (time !== undefined) report(draft, timePath, notForGrainNone(timePath.join('.')));
    if (own.start !== undefined) report(draft, ['start'], notForGrainNone('start'));
    if (own.storage === 'partitioned') report(draft, ['storage'], notForGrainNone('storage: partitioned'));
    return;
  }
  if (own.refresh !== undefined)
    report(draft, ['refresh'], {
      code: 'only_for_grain_none',
      message: 'refresh is for grain: none only',
      remedy: 'leave it out: --rebuild decides for partitions',
    });
  if (kind === 'extract' && own.time !== undefined) {
    report(draft, ['time'], {
      code: 'unknown_key',
      message: 'time is for transforms',
      remedy: 'an extract says extract.time',
    });
  }
  // An extract that can't be read has been reported, whatever its time; a call has none.
  if (time === undefined && (kind === 'transform' || extract) && !wrote(draft, timePath)) {
    const remedy =
      kind === 'extract'
        ? 'write extract.time: the column that decides the partition; or grain: none'
        : "write time: the output column that holds the partition's time; or grain: none";
    report(draft, source ? timePath.slice(0, -1) : [], {
      code: 'missing_time',
      message: `${timePath.join('.')} is missing`,
      remedy,
    });
  }
  checkStart(draft, config);
}

function checkStart(draft: Draft, config: Config): void {
  const { settings, own, axis } = draft;
  if (settings.start === undefined) {
    if (!wrote(draft, ['start']) && !defaulted(config, 'start'))
      report(draft, [], {
        code: 'missing_start',
        message: 'start is missing',
        remedy: 'write start: 2013-01-01, the first time there is data for, here or under defaults',
      });
  } else if (own.start !== undefined && !readTime(own.start, axis.zone)) {
    report(draft, ['start'], badTime(own.start));
  }
}

/** Whether a setting is in the file: then it was wrong, and that has been said. */
function wrote({ source }: Pick<Draft, 'source'>, path: Path): boolean {
  let value = source?.value;
  for (const key of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return false;
    value = Reflect.get(value, key);
  }
  return true;
}

/** Whether `defaults:` holds a wrong value for `key`, or can't be read at all: that is reported once, there. */
function defaulted({ source }: Config, key: string): boolean {
  return !isNode(source?.value) || wrote({ source }, ['defaults', key]);
}

function notForGrainNone(key: string): { code: string; message: string; remedy: string } {
  return {
    code: 'not_for_grain_none',
    message: `${key} has no meaning with grain: none`,
    remedy: `leave ${key} out, or choose a grain`,
  };
}

function checkPublish(draft: Draft): void {
  const { settings, own, kind } = draft;
  if (kind === 'call') return;
  if (settings.publish === 'view') {
    const refuse = (path: Path, message: string, remedy: string): void =>
      report(draft, path, { code: 'not_for_view', message, remedy });
    if (kind === 'extract')
      refuse(['publish'], 'an extract cannot be a view: its rows come from another database', 'use replace or merge');
    if (own.key !== undefined)
      refuse(['key'], 'key cannot be enforced on a view', 'leave it out, or use publish: replace');
    if (own.storage === 'partitioned')
      refuse(['storage'], 'a view stores nothing', 'leave storage out, or use publish: replace');
    if (draft.parsed && draft.parsed.statement.params.length > 0)
      refuse(
        ['publish'],
        'a view has no :start and :end',
        'leave them out of the SQL: whoever reads it says the interval',
      );
  }
  if (settings.publish === 'merge' && settings.key === undefined && !wrote(draft, ['key'])) {
    report(draft, own.publish === undefined ? [] : ['publish'], {
      code: 'missing_key',
      message: 'publish: merge needs a key',
      remedy: 'write key: [id], the columns that identify a row',
    });
  }
  if (own.moves !== undefined && settings.key === undefined && !wrote(draft, ['key'])) {
    report(draft, ['moves'], {
      code: 'missing_key',
      message: 'moves needs a key: a row that moved is found by it',
      remedy: 'write key: [id], the columns that identify a row, or leave moves out',
    });
  }
}

/** `defaults: { scan }` is for those that it can be for. */
function checkScan(draft: Draft): void {
  const { own, kind, axis, extract } = draft;
  if (own.scan === undefined || kind === 'call') return;
  const refuse = (message: string, remedy: string): void =>
    report(draft, ['scan'], { code: 'not_for_scan', message, remedy });
  if (kind !== 'extract') refuse('scan is for extracts: a transform says itself what it reads', 'leave it out');
  else if (axis.grain === 'none')
    refuse('scan has no meaning with grain: none: it is read at once anyway', 'leave it out');
  else if (own.scan === 'once' && (extract?.query?.params.length ?? 0) > 0)
    refuse(
      'a query with :start and :end cannot be read once for all partitions',
      'leave :start and :end out of the query, or scan',
    );
}

function checkPool(draft: Draft, { pools }: Config): void {
  const { pool } = draft.own;
  if (pool === undefined || draft.kind === 'call' || pools.has(pool)) return;
  const known = [...pools.keys()];
  report(draft, ['pool'], {
    code: 'unknown_pool',
    message: `there is no pool ${pool}`,
    remedy: didYouMean(
      pool,
      known,
      known.length > 0 ? `pools: ${known.join(', ')}` : `declare it in sluice.yaml: pools: { ${pool}: { slots: 2 } }`,
    ),
  });
}

function checkIdentifiers(draft: Draft): void {
  const { own, extract } = draft;
  const columns: [Path, string][] = [
    ...(own.key ?? []).map((name, index): [Path, string] => [['key', index], name]),
    ...(own.mask ?? []).map((name, index): [Path, string] => [['mask', index], name]),
    ...Object.keys(own.columns ?? {}).map((name): [Path, string] => [['columns', name], name]),
    ...(own.time === undefined ? [] : [[['time'], own.time] satisfies [Path, string]]),
    ...(extract?.time === undefined ? [] : [[['extract', 'time'], extract.time.column] satisfies [Path, string]]),
  ];
  for (const [path, name] of columns) {
    if (isIdentifier(name)) continue;
    report(draft, path, {
      code: 'bad_name',
      message: `${JSON.stringify(name)} is no column's name`,
      remedy: `at most ${IDENTIFIER_BYTES_MAX} bytes`,
    });
  }
  const table = own.table === undefined ? undefined : parseTableName(own.table, 'public');
  if (own.table !== undefined && !table) report(draft, ['table'], badTable('table', own.table));
  if (table && isSystemSchema(table.schema))
    report(draft, ['table'], {
      code: 'reserved_name',
      message: `table: schema ${table.schema} is not for datasets`,
      remedy: 'choose another schema',
    });
  for (const [index, name] of (own.reads ?? []).entries()) {
    if (!parseTableName(name, 'public')) report(draft, ['reads', index], badTable('reads', name));
  }
}
