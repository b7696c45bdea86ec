import type { DbtNode } from './manifest.js';
import { columnOf } from './names.js';

/** Of dbt's batch sizes, those that are grains. */
const GRAINS: readonly string[] = ['hour', 'day', 'month', 'year'];

/** The time axis of a microbatch model. */
export interface BatchAxis {
  readonly grain: string;
  readonly time: string;
  readonly start: string;
}

interface Refused {
  readonly refused: string;
}

/** How a model is built: by partition, whole, or a sentence that says why not at all. */
export function axisOf(node: DbtNode): BatchAxis | 'whole' | Refused {
  const { config, language, raw_code } = node;
  if (language === 'python') return { refused: 'it is a Python model: write it as SQL, or as a call dataset' };
  if (config?.sql_header !== undefined || raw_code?.includes('set_sql_header'))
    return { refused: 'sql_header: its SQL may rest on what is set there, and nothing here runs that' };
  switch (config?.materialized) {
    case 'table':
    case 'view':
      return 'whole';
    case 'ephemeral':
      return { refused: 'it is ephemeral: dbt has written it into the models that read it' };
    case 'incremental':
      if (config.incremental_strategy === 'microbatch') return batchAxisOf(node);
      return config.full_refresh === false
        ? {
            refused:
              'full_refresh false: dbt never builds it whole, and its table may hold what its SQL gives no longer',
          }
        : 'whole';
    default:
      return { refused: `materialized as ${config?.materialized ?? 'nothing'}: that has no counterpart here` };
  }
}

function batchAxisOf({ config }: DbtNode): BatchAxis | Refused {
  const { event_time: written, batch_size: grain, begin } = config ?? {};
  if (written === undefined || grain === undefined || begin === undefined)
    return { refused: 'microbatch without event_time, batch_size or begin' };
  if (!GRAINS.includes(grain)) return { refused: `batch_size ${grain} is no grain` };
  const time = columnOf(written);
  if (time === undefined) return { refused: `event_time ${written} is no column of its own: give it one` };
  const key = config?.unique_key?.find((one) => columnOf(one) === undefined);
  if (key !== undefined)
    return { refused: `unique_key ${key} is no column: give it one, by which its batches are merged` };
  const partial = (['merge_update_columns', 'merge_exclude_columns', 'incremental_predicates'] as const).find(
    (name) => config?.[name] !== undefined,
  );
  return partial === undefined
    ? { grain, time, start: begin }
    : { refused: `${partial}: a merge here writes whole rows, by its key alone` };
}
