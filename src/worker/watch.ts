import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import { SluiceError, SystemError } from '../contracts/errors.js';
import { projectStamp } from '../project/files.js';
import type { Opened } from './open.js';

/** Between two looks, but of a folder for whose look it takes long at least so many times that. */
const LOOK_MS = 250;
const TIMES = 10;

interface Watched {
  readonly dir: string;
  /** Of the files before they were read. */
  readonly stamp: string;
}

/**
 * Calls `reload` once after each change of a project's files. It looks at them, again and again: what a system tells of files is lost as an editor renames a
 * new one over the old, and does not come at all from a link's target or a folder of another machine.
 * @param reload - false: it did not work for now, and is to be called again
 * @returns stops it
 */
export function watchProject({ dir, stamp }: Watched, reload: () => Promise<boolean>): () => void {
  const over = new AbortController();
  const { signal } = over;
  let done = stamp;
  const watch = async (): Promise<void> => {
    let before = done;
    let pause = LOOK_MS;
    for (;;) {
      await sleep(pause, undefined, { signal, ref: false }).catch(() => undefined);
      if (signal.aborted) return;
      const began = performance.now();
      const now = await projectStamp(dir);
      pause = Math.max(LOOK_MS, TIMES * (performance.now() - began));
      // Two looks alike: a file that is being written, or has just gone to come again, is not read in between.
      if (now !== done && now === before && (await reload())) done = now;
      before = now;
    }
  };
  void watch();
  return () => {
    over.abort();
  };
}

/** Loads the project anew and deploys it; a worker keeps what it had where it is refused. */
export function reloader(opened: Opened, deploy: () => Promise<void>, log: Logger): () => Promise<boolean> {
  let said = '';
  return async () => {
    const before = opened.project().hash;
    try {
      const { hash } = await opened.reload();
      await deploy();
      if (hash !== before) log.info({ definition: hash }, 'project reloaded');
      said = '';
      return true;
    } catch (error) {
      const words = error instanceof Error ? error.message : String(error);
      const refused = error instanceof SluiceError && !(error instanceof SystemError);
      if (words !== said)
        log.error(`the project is ${refused ? 'refused, the worker keeps what it had' : 'not deployed yet'}: ${words}`);
      said = words;
      return refused;
    }
  };
}
