/** `status`: one backfill, all of it, once. */
import type { BackfillStatus } from '../../contracts/status.js';
import { datasetLines, failedTitle, failureLine, failuresOf, headerLines, nextLines, warningText } from './backfill.js';
import { plural } from './format.js';
import { paint, span, wrap } from './text.js';
import type { Screen } from './text.js';

/** Lines of any number: every dataset, every listed failure with its whole message. */
export function statusLines(status: BackfillStatus, screen: Screen): string[] {
  const datasets = status.datasets.length === 0 ? [] : datasetLines(status.datasets, status.datasets, screen);
  const warnings = status.warnings
    .flatMap((warning) => wrap(warningText(warning), screen.width))
    .map((line) => paint([span(line, 'warn')], screen));
  const blocks = [
    headerLines(status, screen),
    datasets,
    failureLines(status, screen),
    warnings,
    nextLines(status, screen, Infinity),
  ];
  return blocks.filter((block) => block.length > 0).flatMap((block, index) => (index > 0 ? ['', ...block] : block));
}

function failureLines(status: BackfillStatus, screen: Screen): string[] {
  const failures = failuresOf(status);
  if (failures.length === 0) return [];
  const left = status.datasets.reduce((sum, one) => sum + Math.max(0, one.failureCount - one.failures.length), 0);
  const title = paint([failedTitle(status.partitions.failed)], screen);
  const lines = failures.flatMap((one) => [
    paint(failureLine(one), screen),
    ...wrap(one.failure.message, screen.width - 2).map((line) => paint([span(`  ${line}`)], screen)),
  ]);
  return [
    title,
    ...lines,
    ...(left > 0 ? [paint([span(`and ${plural(left, 'failure')} more`, 'faint')], screen)] : []),
  ];
}
