/** Errors, for people and as JSON: what went wrong, and what to type or change. */
import { SluiceError } from '../../contracts/errors.js';
import { clean, paint, span } from './text.js';
import type { Screen } from './text.js';

/** An error, in either form, is never longer (CONTRACT, exit code 2), in UTF-16 units. */
export const ERROR_MAX = 4000;

/** The document that `--json` prints. */
export interface ErrorDocument {
  readonly error: { readonly code: string; readonly message: string; readonly remedy?: string };
}

/** Any thrown value; what is not one of sluice's own errors is a bug, and says so. Cut so that its JSON is at most {@link ERROR_MAX}. */
export function errorDocument(thrown: unknown): ErrorDocument {
  const { code, message, remedy } = partsOf(thrown);
  const made = (text: string): ErrorDocument => ({
    error: { code, message: text, ...(remedy === undefined ? {} : { remedy }) },
  });
  // Escapes make the JSON longer than the text: cut by what is over until it fits.
  let text = message;
  for (
    let over = JSON.stringify(made(text)).length - ERROR_MAX;
    over > 0 && text !== '';
    over = JSON.stringify(made(text)).length - ERROR_MAX
  ) {
    const kept = text.length - Math.max(1, Math.ceil(over / 6));
    text = kept <= MARK_ROOM ? '' : shortened(message, kept);
  }
  return made(text);
}

/** `error: message` and the remedy below, at most {@link ERROR_MAX} characters without colour; long lines are left to the terminal. */
export function errorLines(thrown: unknown, screen: Pick<Screen, 'color'>): string[] {
  const { message, remedy } = partsOf(thrown);
  const help = remedy === undefined ? [] : remedy.split('\n').map((line) => `  ${clean(line)}`);
  const room = ERROR_MAX - 'error: '.length - help.reduce((sum, line) => sum + line.length + 1, 0);
  const [first = '', ...more] = shortened(message, room).split('\n').map(clean);
  const wide = { ...screen, width: Infinity };
  return [
    paint([span('error: ', 'bad'), span(first)], wide),
    ...more.map((line) => paint([span(line)], wide)),
    ...help.map((line) => paint([span(line, 'strong')], wide)),
  ];
}

const REMEDY_MAX = 1000;
const CODE_MAX = 100;
/** What the sentence about the cut takes, with room to spare. */
const MARK_ROOM = 60;

function partsOf(thrown: unknown): { code: string; message: string; remedy?: string } {
  if (thrown instanceof SluiceError) {
    const { code, message, remedy } = thrown;
    return {
      code: code.slice(0, CODE_MAX),
      message,
      ...(remedy === undefined ? {} : { remedy: shortened(remedy, REMEDY_MAX) }),
    };
  }
  const message = thrown instanceof Error ? `${thrown.name}: ${thrown.message}` : String(thrown);
  return { code: 'internal', message, remedy: 'This is a bug in sluice. Please report it with what you typed.' };
}

/** At most `max` characters, cut at a line's end where one is near; the last line says how much is left out. */
function shortened(text: string, max: number): string {
  if (text.length <= max) return text;
  const hard = text.slice(0, Math.max(0, max - MARK_ROOM));
  const lineEnd = hard.lastIndexOf('\n');
  const kept = (lineEnd > hard.length / 2 ? hard.slice(0, lineEnd) : hard).replace(/[\ud800-\udbff]$/, '');
  return `${kept}\n… ${text.length - kept.length} characters left out`;
}
