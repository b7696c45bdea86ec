/**
 * The live display of one backfill: a screen of at most `height` lines, none wider than `width`.
 *
 * From the top: who and how far; a line per dataset; failures; what to type. When there are more datasets than rows, those
 * that are at work or in trouble stay, in the plan's order so that no line jumps; the others are counted in one line.
 */
import { ENDED } from '../../contracts/status.js';
import type { BackfillStatus, DatasetState, DatasetStatus } from '../../contracts/status.js';
import { urgencyOf } from '../../contracts/parts.js';
import {
  datasetLines,
  failedTitle,
  failureLine,
  failuresOf,
  headerLines,
  nextLines,
  shownWarnings,
  warningText,
} from './backfill.js';
import type { DatasetFailure } from './backfill.js';
import { formatCount, plural } from './format.js';
import type { RateMeter } from './rate.js';
import type { LimitShown } from '../warehouse.js';
import { limitLine } from './warehouse.js';
import { joined, paint, span } from './text.js';
import type { Screen } from './text.js';
import { IN_UTC, local } from './times.js';

/**
 * Lines of the live display; the caller leaves one row of the terminal free for the cursor.
 * @param limits - of each database that somebody keeps, why no more runs there
 */
export function progressLines(
  status: BackfillStatus,
  meter: RateMeter,
  screen: Screen,
  limits: readonly LimitShown[] = [],
): string[] {
  const top = [...headerLines(status, screen, meter), ...limits.map((limit) => limitLine(limit, screen))];
  const foot = footLines(status, screen);
  const gap = screen.height >= 12 ? 1 : 0;
  const room = screen.height - top.length - foot.length - gap * 2;
  const failures = failuresOf(status);
  // Failures may take what datasets do not need, and two fifths of the room in any case.
  const datasetsWanted = status.datasets.length === 0 ? 0 : status.datasets.length + 1;
  const failureRoom = failures.length === 0 ? 0 : Math.max(Math.floor(room * 0.4), room - datasetsWanted) - gap;
  const failed = failureLines(status, failures, failureRoom, screen);
  const datasets = foldedLines(status, room - failed.length - (failed.length > 0 ? gap : 0), screen, meter);
  const blocks = [top, datasets, failed, foot].filter((block) => block.length > 0);
  return blocks
    .flatMap((block, index) => (index > 0 && gap === 1 ? ['', ...block] : block))
    .slice(0, Math.max(0, screen.height));
}

/** As many datasets as fit, and one line that counts the rest. */
export function foldedLines(status: BackfillStatus, room: number, screen: Screen, meter?: RateMeter): string[] {
  const { datasets } = status;
  if (room < 2 || datasets.length === 0) return [];
  if (datasets.length + 1 <= room) return datasetLines(status, datasets, screen, meter);
  const byUrgency = [...datasets].sort((a, b) => urgencyOf(a) - urgencyOf(b));
  const chosen = new Set(byUrgency.slice(0, Math.max(0, room - 2)));
  const shown = datasets.filter((one) => chosen.has(one));
  const rest = datasets.filter((one) => !chosen.has(one));
  const head = shown.length === 0 ? [] : datasetLines(status, shown, screen, meter);
  return [...head, paint([span(`and ${countsOf(rest)}`, 'faint')], screen)];
}

/** `12 done · 3 waiting`. */
function countsOf(datasets: readonly DatasetStatus[]): string {
  const counts = new Map<DatasetState, number>();
  for (const { state } of datasets) counts.set(state, (counts.get(state) ?? 0) + 1);
  return [...counts].map(([state, count]) => `${formatCount(count)} ${state}`).join(' · ');
}

/** A title, then each failure in two lines where there is room for all, else in one, the last line counting what is left out. */
function failureLines(
  { partitions, datasets }: BackfillStatus,
  failures: readonly DatasetFailure[],
  room: number,
  screen: Screen,
): string[] {
  if (room < 2 || failures.length === 0) return [];
  const title = paint([failedTitle(partitions.failed)], screen);
  const count = Math.max(
    failures.length,
    datasets.reduce((sum, one) => sum + one.failureCount, 0),
  );
  const twoLines = 1 + 2 * failures.length + (count > failures.length ? 1 : 0) <= room;
  const fitting = twoLines ? failures.length : count <= room - 1 ? failures.length : room - 2;
  const lines = failures
    .slice(0, fitting)
    .flatMap((one) =>
      twoLines
        ? [failureLine(one, screen), [span(`  ${local(one.failure.message, screen.times)}`)]]
        : [joined([failureLine(one, screen), span(local(one.failure.message, screen.times))])],
    );
  const left = count - Math.min(fitting, failures.length);
  if (left > 0) lines.push([span(`and ${plural(left, 'failure')} more`, 'faint')]);
  return [title, ...lines.map((line) => paint(line, screen))];
}

function footLines(status: BackfillStatus, screen: Screen): string[] {
  const warnings = shownWarnings(status.warnings);
  const [warning] = warnings;
  const more = warnings.length - 1;
  const lines = nextLines(status, screen, Math.max(2, Math.floor(screen.height / 4)));
  if (warning)
    lines.unshift(
      paint(
        [
          span(
            `${more > 0 ? `${plural(more + 1, 'warning')}, first ` : ''}${local(warningText(warning), screen.times)}`,
            'warn',
          ),
        ],
        screen,
      ),
    );
  if (!ENDED.includes(status.state) && screen.height >= 16) {
    const { zone } = screen.times ?? IN_UTC;
    const text = '       Ctrl-C lets go of this display; the backfill goes on';
    const both = `${text} · times in ${zone}`;
    lines.push(paint([span(both.length <= screen.width ? both : text, 'faint')], screen));
  }
  return lines;
}
