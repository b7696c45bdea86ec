/** `status`: one backfill, all of it, once. */
import type { BackfillStatus } from '../../contracts/status.js';
import { foldedLines } from './progress.js';
import {
  failedTitle,
  failureLine,
  failuresOf,
  headerLines,
  nextLines,
  shownWarnings,
  warningText,
  type DatasetFailure,
} from './backfill.js';
import { plural } from './format.js';
import { paint, span, wrap } from './text.js';
import type { Screen } from './text.js';
import { local, zoneLine } from './times.js';

/** Datasets, failures and warnings of a status: what a person can read. `--json` has all. */
const SHOWN_MAX = { datasets: 31, failures: 20, warnings: 10 } as const;

/** Every dataset and every listed failure with its whole message; of very many, those that want a person first. */
export function statusLines(status: BackfillStatus, screen: Screen): string[] {
  const said = shownWarnings(status.warnings);
  const unsaid = said.length - SHOWN_MAX.warnings;
  const warnings = said
    .slice(0, SHOWN_MAX.warnings)
    .flatMap((warning) => wrap(local(warningText(warning), screen.times), screen.width))
    .concat(unsaid > 0 ? [`and ${plural(unsaid, 'warning')} more`] : [])
    .map((line) => paint([span(line, 'warn')], screen));
  // A table that is cut is cut to what a screen of 24 lines has beside the rest.
  const room = status.datasets.length < SHOWN_MAX.datasets ? SHOWN_MAX.datasets : 14;
  const blocks = [
    headerLines(status, screen),
    foldedLines(status, room, screen),
    failureLines(status, screen),
    warnings,
    nextLines(status, screen, Infinity),
    showsTimes(status) ? [zoneLine(screen)] : [],
  ];
  return blocks.filter((block) => block.length > 0).flatMap((block, index) => (index > 0 ? ['', ...block] : block));
}

function showsTimes(status: BackfillStatus): boolean {
  const { waiting, warnings } = status;
  return waiting !== null || warnings.length > 0 || failuresOf(status).length > 0;
}

function failureLines(status: BackfillStatus, screen: Screen): string[] {
  const listed = failuresOf(status);
  if (listed.length === 0) return [];
  const failures = listed.slice(0, SHOWN_MAX.failures);
  const unlisted = status.datasets.reduce((sum, one) => sum + Math.max(0, one.failureCount - one.failures.length), 0);
  const left = unlisted + listed.length - failures.length;
  const title = paint([failedTitle(status.partitions.failed)], screen);
  const lines = failures.flatMap((one, index) => [
    paint(failureLine(one, screen), screen),
    ...(saysTheSame(one, failures[index + 1])
      ? []
      : wrap(local(one.failure.message, screen.times), screen.width - 2).map((line) =>
          paint([span(`  ${line}`)], screen),
        )),
  ]);
  return [
    title,
    ...lines,
    ...(left > 0 ? [paint([span(`and ${plural(left, 'failure')} more`, 'faint')], screen)] : []),
  ];
}

/** Of many that failed alike the words are said once, below the last of them. */
function saysTheSame({ dataset, failure }: DatasetFailure, next: DatasetFailure | undefined): boolean {
  return next?.dataset === dataset && next.failure.message === failure.message;
}
