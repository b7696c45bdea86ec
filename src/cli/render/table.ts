/**
 * Tables without borders that fit the screen: wide columns shrink first, then the least important ones go.
 *
 * Laid out here and not by cli-table3: that measures some characters differently from what cuts our lines, and then its
 * lines are wider than the screen (found by test/cli/properties.test.ts).
 */
import { cut, lineWidth, paint, visibleWidth } from './text.js';
import type { Line, Screen } from './text.js';

export interface Column {
  readonly title: string;
  readonly align?: 'left' | 'right';
  /** May shrink to this many columns before others go. */
  readonly min?: number;
  /** When there is no room: the lowest goes first (default 100, the first column never goes). */
  readonly keep?: number;
}

const GAP = '  ';
/** Head and rows as lines; columns that are empty in every row are left out. */
export function table(
  columns: readonly Column[],
  rows: readonly (readonly Line[])[],
  screen: Pick<Screen, 'width' | 'color'>,
): string[] {
  const slots = layOut(columns, rows, screen.width);
  const head = columns.map(({ title }): Line => [{ text: title, style: 'faint' }]);
  return [head, ...rows].map((row) => paint(joinCells(row, slots), screen));
}

function joinCells(row: readonly Line[], slots: readonly Slot[]): Line {
  return slots.flatMap(({ column, index, width }, position) => {
    const cell = cut(row[index] ?? [], width);
    const padding = { text: ' '.repeat(Math.max(0, width - lineWidth(cell))) };
    const gap = { text: position === 0 ? '' : GAP };
    return column.align === 'right' ? [gap, padding, ...cell] : [gap, ...cell, padding];
  });
}

interface Slot {
  readonly column: Column;
  readonly index: number;
  readonly width: number;
}

/** Which columns are shown and how wide. Cells are at least one column wide, gaps are two. */
function layOut(columns: readonly Column[], rows: readonly (readonly Line[])[], width: number): Slot[] {
  let slots = columns
    .map((column, index): Slot => {
      const cells = Math.max(0, ...rows.map((row) => lineWidth(row[index] ?? [])));
      return { column, index, width: cells === 0 && index > 0 ? 0 : Math.max(cells, visibleWidth(column.title), 1) };
    })
    .filter((slot) => slot.width > 0);
  for (;;) {
    const over = slots.reduce((sum, slot) => sum + slot.width, GAP.length * (slots.length - 1)) - width;
    if (over <= 0) return slots;
    const shrunk = shrink(slots, over);
    if (shrunk) return shrunk;
    if (slots.length === 1) return slots.map((slot) => ({ ...slot, width: Math.max(1, width) }));
    const least = slots
      .slice(1)
      .reduce((low, slot) => ((slot.column.keep ?? 100) <= (low.column.keep ?? 100) ? slot : low));
    slots = slots.filter((slot) => slot !== least);
  }
}

/** The slots narrowed by `over` columns in all, always the widest first; undefined where their minima do not allow it. */
function shrink(slots: readonly Slot[], over: number): Slot[] | undefined {
  const widths = slots.map(({ width }) => width);
  const spare = (index: number): number => (widths[index] ?? 0) - (slots[index]?.column.min ?? Infinity);
  for (let left = over; left > 0; left--) {
    const able = widths.map((_, index) => index).filter((index) => spare(index) > 0);
    if (able.length === 0) return undefined;
    const widest = able.reduce((best, index) => ((widths[index] ?? 0) > (widths[best] ?? 0) ? index : best));
    widths[widest] = (widths[widest] ?? 0) - 1;
  }
  return slots.map((slot, index) => ({ ...slot, width: widths[index] ?? slot.width }));
}
