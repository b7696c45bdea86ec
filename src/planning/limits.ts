import { RequestError } from '../contracts/errors.js';
import type { Instant } from '../core/interval/interval.js';
import { DATASET_PARTITIONS_MAX, earliestStart, partitionsUntil, PROJECT_PARTITIONS_MAX } from '../core/plan/limits.js';
import { YEAR_1 } from '../core/time/range.js';
import { formatCount } from '../core/words.js';
import type { Dataset } from '../project/project.js';

interface Planned {
  readonly datasets: ReadonlyMap<string, Pick<Dataset, 'file' | 'axis' | 'start'>>;
}

/**
 * Refuses what planning could not hold, before it begins: a sentinel for "from the beginning" as `start`, with a grain of minutes, ended
 * the worker that was given the request, and the next one.
 * @throws RequestError too_many_partitions, start_too_early
 */
export function requireWithinLimits({ datasets }: Planned, now: Instant): void {
  let total = 0;
  for (const { file, axis, start } of datasets.values()) {
    const count = partitionsUntil({ axis, start }, now);
    total += count;
    if (count > DATASET_PARTITIONS_MAX) {
      const year = Math.max(1, new Date(earliestStart({ axis, start }, now)).getUTCFullYear() + 1);
      throw new RequestError(
        'too_many_partitions',
        `${file}: its start makes ${formatCount(count)} partitions of grain ${axis.grain} until now; a dataset has at most ${formatCount(DATASET_PARTITIONS_MAX)}`,
        `write the first time that there is data for, at the earliest start: ${String(year).padStart(4, '0')}-01-01, or a longer grain`,
      );
    }
    if (axis.grain !== 'none' && start < YEAR_1)
      throw new RequestError(
        'start_too_early',
        `${file}: its start is before year 1, by UTC`,
        'write the first time that there is data for, at the earliest start: 0002-01-01',
      );
  }
  if (total > PROJECT_PARTITIONS_MAX)
    throw new RequestError(
      'too_many_partitions',
      `the project has ${formatCount(total)} partitions until now; at most ${formatCount(PROJECT_PARTITIONS_MAX)} are possible`,
      'write later starts or longer grains, or divide the project',
    );
}
