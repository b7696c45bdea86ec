/**
 * Styled text that is measured and cut before it is painted.
 *
 * A renderer builds lines of spans; `paint` makes strings of them, never wider than the screen. Colour codes are added last,
 * so no cut can go through one and no width counts one.
 */
import picocolors from 'picocolors';
import type { Clock } from '../../core/time/print.js';

export type Style = 'good' | 'bad' | 'warn' | 'busy' | 'faint' | 'strong';

export interface Span {
  readonly text: string;
  readonly style?: Style;
}
export type Line = readonly Span[];

/** What a renderer may know of the place it writes to. */
export interface Screen {
  /** Columns; no line is wider. */
  readonly width: number;
  /** Rows; only the live display keeps to it. */
  readonly height: number;
  readonly color: boolean;
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** By which clocks times are shown; UTC where no project was opened. */
  readonly times?: Times | undefined;
}

export interface Times {
  /** The project's zone, in which what is typed is read too. */
  readonly zone: string;
  readonly of: (dataset: string) => Clock;
}

const PAINTERS = {
  plain: picocolors.createColors(false),
  color: picocolors.createColors(true),
};

/** A span; control characters, which a database's message may hold, become spaces. */
export function span(text: string, style?: Style): Span {
  return style === undefined ? { text: clean(text) } : { text: clean(text), style };
}

/** Spans with a separator between them; empty ones are left out. */
export function joined(parts: readonly (Span | Line | undefined)[], separator = '  '): Line {
  const lines = parts.map((part) => (part === undefined ? [] : 'text' in part ? [part] : part));
  const shown = lines.filter((line) => lineWidth(line) > 0);
  return shown.flatMap((line, index) => (index === 0 ? line : [{ text: separator }, ...line]));
}

/** One line of printable text: no control characters, no line breaks, nothing that reorders what follows. */
export function clean(text: string): string {
  return text
    .replace(/[\p{Cc}\p{Zl}\p{Zp}\p{Cs}]/gu, ' ')
    .replace(/[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu, '');
}

const WIDE =
  /[\u1100-\u115f\u2329\u232a\u2e80-\u303e\u3041-\ua4cf\ua960-\ua97f\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|\p{Emoji_Presentation}|[\u{1f000}-\u{1faff}\u{20000}-\u{3fffd}]/u;

/** Columns that one character takes: 0, 1 or 2. */
function charWidth(char: string): number {
  if (char >= ' ' && char <= '~') return 1;
  if (char === '\ufe0f') return 1; // asks for the emoji, which is a column wider
  if (/[\p{Mn}\p{Me}\p{Cf}]/u.test(char)) return 0;
  return WIDE.test(char) ? 2 : 1;
}

/** Columns that plain text takes on a terminal. */
export function visibleWidth(text: string): number {
  let width = 0;
  for (const char of text) width += charWidth(char);
  return width;
}

/**
 * Rows that painted lines take beyond one each, on a terminal of `width` columns: one that became narrower has broken those that were drawn when it was
 * wider, and whoever draws over them must go up as many rows more.
 */
export function brokenRows(painted: readonly string[], width: number): number {
  // eslint-disable-next-line no-control-regex -- the colours of `paint`
  const widths = painted.map((line) => visibleWidth(line.replace(/\u001b\[\d+m/g, '')));
  return widths.reduce((sum, columns) => sum + Math.max(0, Math.ceil(columns / Math.max(1, width)) - 1), 0);
}

export function lineWidth(line: Line): number {
  return line.reduce((sum, { text }) => sum + visibleWidth(text), 0);
}

/** The line, cut to `width` columns; where something is cut, `…` says so. */
export function cut(line: Line, width: number): Line {
  if (width <= 0) return [];
  if (lineWidth(line) <= width) return line;
  const kept: Span[] = [];
  let room = width - 1;
  for (const part of line) {
    const text = takeColumns(part.text, room);
    kept.push({ ...part, text });
    room -= visibleWidth(text);
    if (text.length < part.text.length) break;
  }
  return [...kept, { text: '…' }];
}

function takeColumns(text: string, width: number): string {
  let taken = '';
  let room = width;
  for (const char of text) {
    room -= charWidth(char);
    if (room < 0) break;
    taken += char;
  }
  return taken;
}

/** The line as a string, cut to the screen, in colour if it has any, without spaces at its end. */
export function paint(line: Line, { width, color }: Pick<Screen, 'width' | 'color'>): string {
  const painter = color ? PAINTERS.color : PAINTERS.plain;
  const painters: Record<Style, (text: string) => string> = {
    good: painter.green,
    bad: painter.red,
    warn: painter.yellow,
    busy: painter.cyan,
    faint: painter.dim,
    strong: painter.bold,
  };
  const painted = cut(line, width).map(({ text, style }) =>
    style === undefined || text === '' ? text : painters[style](text),
  );
  return painted.join('').trimEnd();
}

/** Text broken at spaces into lines of at most `width` columns; a word that is wider is broken where it must. */
export function wrap(text: string, width: number): string[] {
  const room = Math.max(width, 2); // the widest character takes two columns
  const lines: string[] = [];
  let current = '';
  for (const word of clean(text).split(' ').filter(Boolean)) {
    if (current !== '' && visibleWidth(current) + 1 + visibleWidth(word) <= room) {
      current += ` ${word}`;
      continue;
    }
    if (current !== '') lines.push(current);
    current = word;
    while (visibleWidth(current) > room) {
      const head = takeColumns(current, room);
      lines.push(head);
      current = current.slice(head.length);
    }
  }
  return current === '' ? lines : [...lines, current];
}
