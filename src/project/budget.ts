import type { BudgetYaml, HoldWhenYaml, WindowYaml } from '../contracts/project.js';
import { formatInstant } from '../core/interval/interval.js';
import { overlapOf } from '../core/throttle/windows.js';
import type { Window } from '../core/throttle/windows.js';
import { NAME, NAME_RULE } from './names.js';
import type { Budget } from './project.js';
import { parseStatement } from './sql/statement.js';
import type { Mistake, Place } from './text.js';
import type { Path } from './yaml.js';

/** Batches at work at once on a database whose budget names no `slots`. */
export const DEFAULT_SLOTS = 4;
const DAY_MINUTES = 1440;

/** A budget as the rest of sluice uses it; a connection without one has the default. */
export function budgetOf(yaml: BudgetYaml, timezone: string): Budget {
  const { law = 'fixed', slots = DEFAULT_SLOTS, rate, cores, windows = [], hold_when: declared = [] } = yaml;
  return {
    law,
    slots,
    ...(rate === undefined ? {} : { rate }),
    ...(cores === undefined ? {} : { cores }),
    windows: windows.map((window) => windowOf(window, timezone)),
    holdWhen: declared.map(({ name, query, above }) => ({ name, query: selectOf(query), above })),
  };
}

/** A window that closes at an earlier hour than it opens does so on the next day. */
function windowOf({ days, from, to, timezone: own, slots, rate }: WindowYaml, timezone: string): Window {
  return {
    days: days ?? [0, 1, 2, 3, 4, 5, 6],
    from,
    to: to < from ? to + DAY_MINUTES : to,
    zone: own ?? timezone,
    slots,
    ...(rate === undefined ? {} : { rate }),
  };
}

/** Whether the database of a connection has a governor: where its budget is more than two numbers. */
export function isGoverned({ law, windows, holdWhen }: Budget): boolean {
  return law === 'adaptive' || windows.length > 0 || holdWhen.length > 0;
}

/** Without its semicolon: it is run inside another statement's limits. */
function selectOf(query: string): string {
  return parseStatement(query, NOWHERE).parsed?.statement.text ?? query;
}

interface At {
  readonly path: Path;
  readonly timezone: string;
  readonly report: (path: Path, mistake: Mistake) => void;
}

/** Reports what is wrong with a budget beyond the shape of its keys. */
export function checkBudget(yaml: BudgetYaml, at: At): void {
  const { slots = DEFAULT_SLOTS, windows = [], hold_when: declared = [] } = yaml;
  for (const [index, window] of windows.entries()) checkWindow(window, slots, index, at);
  checkOverlap(windows, at);
  for (const [index, hold] of declared.entries()) checkHold(hold, index, declared, at);
}

function checkWindow({ from, to, slots }: WindowYaml, most: number, index: number, { path, report }: At): void {
  const own = [...path, 'windows', index];
  if (from === to || from === DAY_MINUTES) {
    report([...own, from === to ? 'to' : 'from'], {
      code: 'bad_window',
      message: from === to ? 'this window is empty: it ends when it begins' : 'this window begins at 24:00',
      remedy: from === to ? 'a whole day is from: "00:00", to: "24:00"' : 'write from: "00:00", and the next day',
    });
  }
  if (slots > most) {
    report([...own, 'slots'], {
      code: 'bad_window',
      message: `this window has ${slots} slots, and its budget ${most}`,
      remedy: `slots of the budget is the most there is: raise it to ${slots}, or lower this one`,
    });
  }
}

function checkOverlap(windows: readonly WindowYaml[], { path, timezone, report }: At): void {
  const overlap = overlapOf(windows.map((window) => windowOf(window, timezone)));
  if (!overlap) return;
  const { first, second, at } = overlap;
  report([...path, 'windows', second], {
    code: 'windows_overlap',
    message: `windows ${first + 1} and ${second + 1} of this budget overlap: both are open at ${formatInstant(at)}`,
    remedy:
      'let one end where the other begins; times are those of each window’s own time zone, clock changes included',
  });
}

function checkHold(
  { name, query }: HoldWhenYaml,
  index: number,
  all: readonly HoldWhenYaml[],
  { path, report }: At,
): void {
  const own = [...path, 'hold_when', index];
  if (!NAME.test(name)) {
    const message = `hold_when: ${JSON.stringify(name)} is no name`;
    report([...own, 'name'], { code: 'bad_name', message, remedy: `a name is ${NAME_RULE}` });
  }
  const first = all.findIndex((other) => other.name === name);
  if (first < index) {
    const message = `hold_when: ${name} is declared twice`;
    report([...own, 'name'], { code: 'duplicate_name', message, remedy: 'give each query a name of its own' });
  }
  const mistake = mistakeIn(query);
  if (mistake) {
    const message = `hold_when ${name}: ${mistake.message}`;
    report([...own, 'query'], { ...mistake, message, remedy: HOLD_REMEDY });
  }
}

/** The same parser as for datasets; nothing is bound here, so that parameters are unknown ones. */
function mistakeIn(query: string): Mistake | undefined {
  const { parsed, mistakes } = parseStatement(query, NOWHERE);
  const [mistake] = mistakes;
  if (mistake?.code === 'sql_error') return { code: mistake.code, message: mistake.message };
  if (mistake && mistake.code !== 'unknown_parameter')
    return { code: mistake.code, message: 'this is not one SELECT that only reads' };
  if (mistake || (parsed && parsed.statement.params.length > 0))
    return { code: 'unknown_parameter', message: 'a query here has no parameters: it asks about now' };
  return undefined;
}

const NOWHERE = (): Place => ({ line: 1, column: 1 });
const HOLD_REMEDY = 'write one SELECT that answers with one number, for example SELECT count(*) FROM queue';
