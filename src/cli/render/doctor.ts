import type { Check } from '../doctor/check.js';
import { plural } from './format.js';
import { paint, span, wrap, type Screen, type Style } from './text.js';

const STYLES: Readonly<Record<Check['state'], Style>> = { ok: 'good', warn: 'warn', fail: 'bad' };
const MARK_WIDTH = 6;

/** A line per check, its remedy under it; then how many there are of each. */
export function doctorLines(checks: readonly Check[], screen: Pick<Screen, 'width' | 'color'>): string[] {
  const room = screen.width - MARK_WIDTH;
  const lines = checks.flatMap(({ name, state, message, remedy }) => {
    const [first = '', ...more] = message
      .split('\n')
      .flatMap((line, i) => wrap(i === 0 ? `${name}: ${line}` : line, room));
    const typed = remedy === undefined ? [] : wrap(`→ ${remedy}`, room);
    return [
      paint([span(state.padEnd(MARK_WIDTH), STYLES[state]), span(first)], screen),
      ...[...more, ...typed].map((line) => paint([span(' '.repeat(MARK_WIDTH)), span(line)], screen)),
    ];
  });
  const count = (wanted: Check['state']): number => checks.filter(({ state }) => state === wanted).length;
  return [...lines, '', `${count('ok')} ok, ${plural(count('warn'), 'warning')}, ${plural(count('fail'), 'failure')}`];
}
