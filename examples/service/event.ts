/** What another team's system tells: rows of a table changed between two times. */
export interface SourceCorrected {
  /** Unique; a queue may deliver an event twice. */
  readonly event: string;
  readonly table: string;
  readonly from: string;
  /** Exclusive. */
  readonly to: string;
}

/** @throws SyntaxError on a line that is no such event */
export function readEvent(line: string): SourceCorrected {
  const value: unknown = JSON.parse(line);
  if (
    typeof value === 'object' &&
    value !== null &&
    'event' in value &&
    'table' in value &&
    'from' in value &&
    'to' in value
  ) {
    const { event, table, from, to } = value;
    if (typeof event === 'string' && typeof table === 'string' && typeof from === 'string' && typeof to === 'string') {
      return { event, table, from, to };
    }
  }
  throw new SyntaxError('an event is {"event", "table", "from", "to"}, all text');
}
