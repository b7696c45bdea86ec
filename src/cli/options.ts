/** Options that several verbs share: defined once, parsed once. */
import { Option } from 'commander';
import type { Command } from 'commander';
import { RequestError } from '../contracts/errors.js';
import { MAX_PARALLEL, BackfillRequest, ON_CONFLICT, ON_FAILURE, ORDER, REBUILD } from '../contracts/request.js';
import type { BackfillInput } from '../contracts/request.js';
import { parseDuration } from '../core/time/duration.js';

/** `-p, -e, --json, --data-dir`: on every verb. */
export interface CommonOptions {
  /** Folder of the project. */
  readonly project: string;
  /** Environment: `--env`, else `SLUICE_ENV`, else `default`. */
  readonly env: string;
  readonly json: boolean;
  /** Where `sluice dev` keeps `dev.json`; absent: look in the project. */
  readonly dataDir?: string;
}

export interface RangeOptions {
  readonly from?: string;
  readonly to?: string;
  readonly last?: string;
  readonly on?: string;
}

export interface BoundOptions {
  readonly only?: boolean;
}

export interface SelectOptions {
  readonly exclude?: readonly string[];
}

/** What `backfill` takes beside range and selection, as typed: checked by {@link backfillInput}. */
export interface RequestOptions {
  readonly rebuild?: string;
  readonly plan?: string;
  readonly reason?: string;
  readonly ticket?: string;
  readonly priority?: string;
  readonly order?: string;
  readonly onFailure?: string;
  readonly onConflict?: string;
  readonly maxParallel?: string;
  readonly overwrite?: boolean;
  readonly set?: readonly string[];
}

export function addCommon(command: Command): Command {
  return command
    .option('-p, --project <dir>', 'folder of the project', '.')
    .addOption(new Option('-e, --env <name>', 'environment').env('SLUICE_ENV').default('default'))
    .option('--json', 'print one JSON document on stdout, logs on stderr', false)
    .addOption(new Option('--data-dir <dir>', 'data folder of `sluice dev`').env('SLUICE_DATA_DIR'));
}

export function addRange(command: Command): Command {
  return command
    .option('--from <time>', 'start of the range, ISO 8601; without a zone, in the project’s')
    .option('--to <time>', 'end of the range, exclusive')
    .option('--last <duration>', 'the last 30d, 12h, 3mo, up to now')
    .option('--on <time>', 'the partition that holds this time');
}

/** `--only`, of the verbs that build. */
export function addOnly(command: Command): Command {
  return command.option('--only', 'the range is a bound: nothing outside of it is built again');
}

export function addSelect(command: Command): Command {
  return command
    .argument('[select...]', 'datasets: name, glob*, +up, down+, +both+, tag:x, path:x; none is the whole project')
    .addOption(
      new Option('--exclude <select>', 'datasets to leave out, written alike; may be repeated').argParser(collected),
    );
}

/** Not variadic: `--exclude a b` would swallow the selection `b`. */
function collected(value: string, before: readonly string[] | undefined): string[] {
  return [...(before ?? []), value];
}

export function addRebuild(command: Command): Command {
  return command.option('--rebuild <what>', `what is built again: ${REBUILD.join(', ')}`);
}

export function addSet(command: Command): Command {
  return command.addOption(
    new Option('--set <flag=value>', 'another value of a flag of the project, this once; may be repeated').argParser(
      collected,
    ),
  );
}

/** Everything of `backfill` that goes into its request, range and selection apart. */
export function addRequest(command: Command): Command {
  return addSet(addReason(addRebuild(command)))
    .option('--plan <fingerprint>', 'carry out this plan; refused when it is no longer true')
    .option('--ticket <ticket>', 'a reference; kept in the journal')
    .option('--priority <1..5>', '1 is first (default 3)')
    .option('--order <which>', `${ORDER.join(' or ')} partitions first`)
    .option('--on-failure <what>', `${ON_FAILURE.join(' or ')} when partitions failed`)
    .option('--on-conflict <what>', `${ON_CONFLICT.join(', ')} what another backfill holds`)
    .option('--max-parallel <n>', 'batches at work at once in this backfill')
    .option('--overwrite', 'also replace rows that sluice did not write');
}

export function addReason(command: Command): Command {
  return command.option('--reason <text>', 'why; kept in the journal');
}

export function addTimeout(command: Command): Command {
  return command.addOption(
    new Option('--timeout <duration>', 'stop waiting after 30s, 10m, 2h; the backfill goes on').argParser(parseTimeout),
  );
}

/** `2h` in milliseconds; throws RequestError `bad_timeout` on what is no length of real time, or is 0 or over a year. */
export function parseTimeout(text: string): number {
  const duration = parseDuration(text);
  // A day of waiting is 24 h; months have no one length.
  const ms = duration && duration.months === 0 ? duration.days * 86_400_000 + duration.ms : 0;
  if (ms <= 0 || ms > 366 * 86_400_000) {
    throw new RequestError(
      'bad_timeout',
      `--timeout ${JSON.stringify(text)} is not a time to wait`,
      'Write it as 30s, 10m, 2h or 1d.',
    );
  }
  return ms;
}

/** A range as typed, checked for what contradicts itself; its times are read by the planner, in the project's zone. */
export function rangeInput({ from, to, last, on }: RangeOptions): Pick<BackfillInput, 'from' | 'to' | 'last' | 'on'> {
  const given = Object.entries({ '--from': from, '--to': to, '--last': last, '--on': on }).filter(
    ([, value]) => value !== undefined,
  );
  const names = given.map(([name]) => name);
  if (names.length > 1 && (last !== undefined || on !== undefined)) {
    throw new RequestError(
      'range_conflict',
      `${names.join(' and ')} cannot be used together`,
      'Give --from and --to (exclusive), or --last 30d, or --on 2013-03-10, or none of them.',
    );
  }
  for (const [name, value] of given) {
    if (value?.trim() === '')
      throw new RequestError('range_empty_value', `${name} has no value`, 'Write a time in ISO 8601, or leave it out.');
  }
  if (last !== undefined && parseDuration(last) === undefined) {
    throw new RequestError(
      'bad_duration',
      `--last ${JSON.stringify(last)} is not a duration`,
      'Write it as 30d, 12h, 2w or 3mo.',
    );
  }
  return present({ from, to, last, on });
}

/** The request that the command line asks for. Throws RequestError, naming the option, its value and what it may be. */
export function backfillInput(
  project: string,
  select: readonly string[],
  options: Pick<CommonOptions, 'env'> & RangeOptions & BoundOptions & SelectOptions & RequestOptions,
): BackfillInput {
  const { rebuild, plan, reason, ticket, order, onFailure, onConflict, overwrite } = options;
  const exclude = options.exclude ?? [];
  return {
    project,
    environment: options.env,
    ...rangeInput(options),
    ...present({
      only: options.only,
      select: select.length === 0 ? undefined : [...select],
      exclude: exclude.length === 0 ? undefined : [...exclude],
      plan,
      reason: text('--reason', reason, BackfillRequest.shape.reason.unwrap().maxLength),
      ticket: text('--ticket', ticket, BackfillRequest.shape.ticket.unwrap().maxLength),
      rebuild: oneOf('--rebuild', rebuild, REBUILD),
      order: oneOf('--order', order, ORDER),
      onFailure: oneOf('--on-failure', onFailure, ON_FAILURE),
      onConflict: oneOf('--on-conflict', onConflict, ON_CONFLICT),
      overwrite,
      set: setInput(options.set),
    }),
    ...adjustInput(options),
  };
}

/** `--set x=7` as `{ x: '7' }`; what a flag's value may be is for whoever knows the project. */
function setInput(written: readonly string[] | undefined): BackfillInput['set'] {
  if (written === undefined) return undefined;
  return Object.fromEntries(
    written.map((text) => {
      const at = text.indexOf('=');
      if (at < 1) throw bad('--set', text, 'Write it as --set flag=value.');
      return [text.slice(0, at), text.slice(at + 1)];
    }),
  );
}

/** `--priority` and `--max-parallel`, of `backfill` and of `adjust`. */
export function adjustInput(
  options: Pick<RequestOptions, 'priority' | 'maxParallel'>,
): Pick<BackfillInput, 'priority' | 'maxParallel'> {
  return present({
    priority: whole('--priority', options.priority, 1, 5),
    maxParallel: whole('--max-parallel', options.maxParallel, 1, MAX_PARALLEL),
  });
}

type Present<T> = { [K in keyof T]?: Exclude<T[K], undefined> };

/** The object without what is undefined. */
function present<T extends object>(values: T): Present<T> {
  const isPresent = (candidate: object): candidate is Present<T> =>
    Object.values(candidate).every((value) => value !== undefined);
  const kept = Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined));
  return isPresent(kept) ? kept : {};
}

function whole(name: string, value: string | undefined, min: number, max: number): number | undefined {
  if (value === undefined) return undefined;
  const number = /^\d{1,6}$/.test(value) ? Number(value) : NaN;
  if (number >= min && number <= max) return number;
  throw bad(name, value, `Write a whole number from ${min} to ${max}.`);
}

function oneOf<T extends string>(name: string, value: string | undefined, allowed: readonly T[]): T | undefined {
  if (value === undefined) return undefined;
  const found = allowed.find((one) => one === value);
  if (found === undefined)
    throw bad(name, value, `Write ${allowed.slice(0, -1).join(', ')} or ${allowed.at(-1) ?? ''}.`);
  return found;
}

function text(name: string, value: string | undefined, max: number | null): string | undefined {
  if (value === undefined || max === null || value.length <= max) return value;
  throw bad(name, `${value.slice(0, 40)}…`, `At most ${max} characters.`);
}

function bad(name: string, value: string, remedy: string): RequestError {
  return new RequestError('bad_option', `${name} ${JSON.stringify(value)} is not possible`, remedy);
}
