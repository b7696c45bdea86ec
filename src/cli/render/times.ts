/** The times of a screen: in the project's zone, which is said once, or in a dataset's own. */
import { printTime } from '../../core/time/print.js';
import type { Project } from '../../project/project.js';
import { paint, span } from './text.js';
import type { Screen, Times } from './text.js';

/** Where no project was opened yet. */
export const IN_UTC: Times = { zone: 'UTC', of: () => ({ zone: 'UTC' }) };

/** Of a dataset that the project does not have, or no more, by the project's clock. */
export function timesOf({ timezone, datasets }: Pick<Project, 'timezone' | 'datasets'>): Times {
  return {
    zone: timezone,
    of: (name) => ({ ...(datasets.get(name)?.axis ?? { zone: timezone }), typed: timezone }),
  };
}

/** The line that says it once, below a screen that shows times. */
export function zoneLine({ times = IN_UTC, ...screen }: Screen): string {
  return paint([span(`times in ${times.zone}`, 'faint')], screen);
}

/** Instants as our messages hold them, and where one is part of a command. One in quotes is SQL, or what somebody typed. */
const INSTANT =
  /(--(?:from|to|on)\s+|sluice why \S+\s+)?(?<!['"\w:.-])(\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d+)?)?Z)/g;

/**
 * A text of ours in which every instant in UTC is shown by the project's clock. Messages are made in many places, some by a worker
 * or kept in the warehouse, and in documents they keep UTC: so this is done once, where a person reads.
 */
export function local(text: string, { zone }: Times = IN_UTC): string {
  return text.replace(INSTANT, (whole, command: string | undefined, instant: string) => {
    const t = Date.parse(instant);
    if (Number.isNaN(t)) return whole;
    if (command !== undefined) return command + printTime(t, { zone }).replace(' ', 'T');
    return printTime(Math.floor(t / 1000) * 1000, { zone });
  });
}
