import { createHash, type Hash } from 'node:crypto';
import { Transform } from 'node:stream';

/** Types with a hash of their own for certain; a row with any other column is hashed as text, which is slower and always works. */
const HASHABLE =
  /^(smallint|integer|bigint|real|double precision|numeric.*|text|character.*|date|timestamp.*|time without time zone|uuid|boolean|bytea|interval)$/;

/** SQL of a content digest over the rows of `alias`: a sum, so that the rows' order does not matter. */
export function digestOf(alias: string, types: readonly string[]): string {
  const hash = types.every((type) => HASHABLE.test(type))
    ? `hash_record_extended(${alias}, 0)`
    : `hashtextextended(${alias}::text, 0)`;
  return `coalesce(sum(${hash}), 0)::text || '/' || count(*)`;
}

/** Passes a COPY stream on and digests its bytes: free beside the database's work, where a second look at the rows would not be. */
export class DigestStream extends Transform {
  #hash: Hash = createHash('sha1');
  bytes = 0;

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: (error: null, chunk: Buffer) => void): void {
    this.#hash.update(chunk);
    this.bytes += chunk.length;
    done(null, chunk);
  }

  digest(): string {
    return this.#hash.digest('hex').slice(0, 24);
  }
}
