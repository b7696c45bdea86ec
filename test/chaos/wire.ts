/** Cuts a stream of PostgreSQL's protocol into its messages. */

/** One message as it was on the wire, its head included. */
export interface Message {
  /** The type's letter; `startup` for what opens a connection and has none. */
  readonly type: string;
  readonly bytes: Buffer;
}

/**
 * Gives the whole messages of a stream, in order, as its chunks come.
 * @param untyped - messages at the beginning that have no type: one, from a client
 */
export function messageReader(untyped: number): (chunk: Buffer) => Message[] {
  let kept: Buffer = Buffer.alloc(0);
  let left = untyped;
  return (chunk) => {
    kept = kept.length === 0 ? chunk : Buffer.concat([kept, chunk]);
    const found: Message[] = [];
    for (;;) {
      const head = left > 0 ? 0 : 1;
      if (kept.length < head + 4) return found;
      const size = head + kept.readUInt32BE(head);
      if (kept.length < size) return found;
      const type = head === 0 ? 'startup' : String.fromCharCode(kept[0] ?? 0);
      found.push({ type, bytes: kept.subarray(0, size) });
      kept = kept.subarray(size);
      left = Math.max(0, left - 1);
    }
  };
}

/** The database that a connection asks for. */
export function databaseOf(startup: Message): string {
  const words = startup.bytes.subarray(8).toString().split('\0');
  return words[words.indexOf('database') + 1] ?? '';
}

/** `sluice/<epoch>/<slice>/<attempt>/<dataset>` where a client takes that name: the first message of a slice on a connection. */
export function sliceBegun({ type, bytes }: Message): string | undefined {
  if (type !== 'B') return undefined;
  const text = bytes.toString('latin1');
  if (!text.includes('application_name')) return undefined;
  return /sluice\/\d+\/\d+\/\d+\/\w+/.exec(text)?.[0];
}

/** Whether a client gives its slice's name back. */
export function sliceOver({ type, bytes }: Message): boolean {
  return type === 'Q' && bytes.includes(`set_config('application_name', 'sluice'`);
}

/** Whether a client begins a publishing transaction. */
export function isBegin({ type, bytes }: Message): boolean {
  return (type === 'Q' || type === 'P') && bytes.includes('BEGIN ISOLATION');
}

/** Whether a client asks to commit. */
export function isCommit({ type, bytes }: Message): boolean {
  return (type === 'Q' || type === 'P') && bytes.includes('COMMIT\0');
}

/** Whether a server says that a transaction is committed. */
export function isCommitted({ type, bytes }: Message): boolean {
  return type === 'C' && bytes.toString('latin1', 5).startsWith('COMMIT');
}
