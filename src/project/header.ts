/** The settings of a transform: where in its file their YAML stands. */
export interface Header {
  /** Blanks in place of the comment's opening, so that the YAML keeps its columns. */
  readonly yaml: string;
  /** Offset of the first character of `yaml` in the file. */
  readonly base: number;
}

/**
 * The first block comment of a `.sql` file, where it comes before the SQL; line comments may precede it. PostgreSQL nests block
 * comments, so this does too. Undefined when there is none; `endless` when it never ends, which the parser reports.
 */
export function headerOf(sql: string): Header | 'endless' | undefined {
  const opening = /^(?:\s|--[^\n]*(?:\n|$))*\/\*/.exec(sql);
  if (!opening) return undefined;
  const start = opening[0].length;
  const end = endOfComment(sql, start);
  if (end === undefined) return 'endless';
  // On a line of its own, as usual, the opening is not a part of the YAML; before the first key, it is indentation.
  const inside = sql.slice(start, end);
  return /^[ \t]*\r?\n/.test(inside) ? { yaml: inside, base: start } : { yaml: `  ${inside}`, base: start - 2 };
}

function endOfComment(sql: string, start: number): number | undefined {
  const marks = /\/\*|\*\//g;
  marks.lastIndex = start;
  let depth = 1;
  for (let mark = marks.exec(sql); mark; mark = marks.exec(sql)) {
    depth += mark[0] === '/*' ? 1 : -1;
    if (depth === 0) return mark.index;
  }
  return undefined;
}
