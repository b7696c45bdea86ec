import { Socket, type ConnectOpts, type SocketConstructorOpts } from 'node:net';

/** What one read takes at most; libuv's own number. */
const READ_BYTES = 64 * 1024;

/**
 * A socket that reads into memory of its own, again and again. Node takes 64 KB anew for every read, however short, and V8 answers memory outside its
 * heap with whole collections: of the worker's 3 s of CPU for a COPY of 3 M rows, one was spent on 18 of them.
 *
 * What it emits as `data` is a copy, for readers may keep it. Who reads much lends the memory itself, and gives it back.
 */
export class ReusingSocket extends Socket {
  readonly #memory: Memory;

  constructor() {
    const memory: Memory = { free: [], lent: false };
    const options: SocketConstructorOpts & ConnectOpts = {
      onread: {
        buffer: () => memory.free.pop() ?? Buffer.allocUnsafeSlow(READ_BYTES),
        callback: (bytes, buffer) => {
          this.#took(bytes, buffer);
          return !this.isPaused();
        },
      },
    };
    super(options);
    this.#memory = memory;
  }

  /** From now on (or no longer) every chunk is its reader's until {@link giveBack}. */
  lend(lent: boolean): void {
    this.#memory.lent = lent;
  }

  /** @param chunk - any part of a chunk that was lent, of which nobody needs anything any more */
  giveBack(chunk: Buffer): void {
    if (this.#memory.free.length < FREE_MAX) this.#memory.free.push(Buffer.from(chunk.buffer));
  }

  #took(bytes: number, buffer: Uint8Array): void {
    const chunk = Buffer.from(buffer.buffer, 0, bytes);
    if (this.#memory.lent) this.emit('data', chunk);
    else {
      const copy = Buffer.from(chunk);
      this.giveBack(chunk);
      this.emit('data', copy);
    }
  }
}

interface Memory {
  /** Whole, and read into by nobody. */
  readonly free: Buffer[];
  lent: boolean;
}

/** A COPY holds 512 KB of chunks that wait for its target. */
const FREE_MAX = 12;
