/** `advise`: what limits a backfill, and what would help. */
import type { AdviceDocument } from '../advise.js';
import { environmentWords } from '../../contracts/typed.js';
import { formatDuration } from './format.js';
import { joined, paint, span, wrap, type Screen } from './text.js';

export function adviceLines(
  { id, state, limit, secondsLeft, advice }: AdviceDocument,
  screen: Screen,
  environment: string,
): string[] {
  const left = secondsLeft === null ? undefined : span(`about ${formatDuration(1000 * secondsLeft)} left`, 'faint');
  const head = joined([[span('backfill '), span(id, 'strong')], span(state), left]);
  const indented = (text: string): string[] =>
    wrap(text, screen.width - 3).map((line) => paint([span(`   ${line}`)], screen));
  const limits = limit.code === 'nothing' ? limit.message : `limited by ${limit.message}`;
  const none =
    limit.code === 'nothing'
      ? []
      : [paint([span('nothing sluice can suggest would save 20 % or more', 'faint')], screen)];
  return [
    paint(head, screen),
    ...wrap(limits, screen.width).map((line) => paint([span(line)], screen)),
    ...(advice.length === 0 ? none : []),
    ...advice.flatMap(({ dataset, message, next, gain }, index) => [
      '',
      paint(
        joined([
          span(`${index + 1}. about ${gain.toFixed(1)} × as fast`, 'good'),
          dataset === undefined ? undefined : span(dataset, 'strong'),
        ]),
        screen,
      ),
      ...indented(message),
      ...indented(next.startsWith('sluice ') ? [next, ...environmentWords(environment)].join(' ') : next),
    ]),
  ];
}
