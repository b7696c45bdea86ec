/** Who needs the servers as they are, and who kills them: any number of the first at once, or one of the second. */
export interface Quiet {
  readonly quietly: <T>(work: () => Promise<T>) => Promise<T>;
  readonly alone: <T>(work: () => Promise<T>) => Promise<T>;
}

export function createQuiet(): Quiet {
  /** Ends when the last who killed is done, and when all that began before it are. */
  let killing: Promise<unknown> = Promise.resolve();
  const quiet = new Set<Promise<unknown>>();
  return {
    quietly: async (work) => {
      for (let seen; seen !== killing;) await (seen = killing);
      const working = work();
      quiet.add(working);
      return working.finally(() => quiet.delete(working));
    },
    alone: async (work) => {
      const before = killing;
      const done = (async () => {
        await before;
        await Promise.allSettled(quiet);
        return work();
      })();
      killing = done.catch(() => undefined);
      return done;
    },
  };
}
