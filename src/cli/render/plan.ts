/** `plan`: what would be built and why, what it would run, what it leaves stale, and what to type next. */
import { scopeName } from '../../contracts/scope.js';
import type { PlanDocument } from '../../contracts/plan.js';
import { LEFT_STALE } from '../../contracts/plan.js';
import { commandLines, requestWords, sluice } from './command.js';
import { shownWarnings, warningText } from './backfill.js';
import { formatCount, formatSpan, formatTime, plural } from './format.js';
import { foldedDdl, statementsOf, wholeDdl } from './plan-ddl.js';
import { table } from './table.js';
import type { Column } from './table.js';
import { joined, paint, span, wrap } from './text.js';
import type { Line, Screen } from './text.js';
import { IN_UTC, local, zoneLine } from './times.js';

/** Reasons shown for a dataset; `--json` has all. */
const WHY_MAX = 4;
const NAME_MAX = 24;

/** Of more datasets than this, each block shows the first few: a screen is no place for a thousand. `--json` has all. */
const DATASETS_MAX = 30;
const WARNINGS_MAX = 10;
const FEW = { counts: 10, why: 5, statements: 3, stale: 3 } as const;

const COLUMNS: readonly Column[] = [
  { title: 'DATASET', min: 12 },
  { title: 'GRAIN', keep: 30 },
  { title: 'BUILD', align: 'right', keep: 90 },
  { title: 'MISSING', align: 'right', keep: 60 },
  { title: 'STALE', align: 'right', keep: 70 },
  { title: 'UP TO DATE', align: 'right', keep: 50 },
  { title: 'FROM', keep: 40 },
  { title: 'TO (exclusive)', keep: 35 },
  { title: 'READS', min: 10, keep: 20 },
];

/** Lines of any number. @param ddl - its statements too, which are counted else */
export function planLines(plan: PlanDocument, screen: Screen, ddl = false): string[] {
  // What a bound leaves stale has a block of its own here.
  const warnings = shownWarnings(plan.warnings).filter(({ code }) => code !== LEFT_STALE);
  const unsaid = warnings.length - WARNINGS_MAX;
  const blocks = [
    titleLines(plan, screen),
    plan.datasets.length === 0 ? [] : countLines(plan, screen),
    whyLines(plan, screen),
    statementLines(plan, screen),
    staleLines(plan, screen),
    ddlLines(plan, screen, ddl),
    deferredLines(plan, screen),
    leavesStaleLines(plan, screen),
    warnings
      .slice(0, WARNINGS_MAX)
      .flatMap((warning) => wrap(local(warningText(warning), screen.times), screen.width))
      .concat(unsaid > 0 ? [`and ${plural(unsaid, 'warning')} more: --json shows all`] : [])
      .map((line) => paint([span(line, 'warn')], screen)),
    nextLines(plan, screen),
  ];
  return blocks.filter((block) => block.length > 0).flatMap((block, index) => (index > 0 ? ['', ...block] : block));
}

function buildCount({ datasets }: PlanDocument): number {
  return datasets.reduce((sum, { build }) => sum + build, 0);
}

function titleLines(plan: PlanDocument, screen: Screen): string[] {
  const builds = plan.datasets.filter(({ build }) => build > 0).length;
  const scope = scopeName(plan.project, plan.environment);
  const stale = staleCount(plan);
  const notAsked = span(`${formatCount(stale)} stale, not asked for: add --rebuild stale`, 'warn');
  const what =
    builds > 0
      ? span(`${plural(buildCount(plan), 'partition')} of ${plural(builds, 'dataset')} to build`, 'strong')
      : stale > 0
        ? notAsked
        : span('nothing to build', 'good');
  const title = joined([[span('plan of '), span(scope)], what, span(`fingerprint ${plan.fingerprint}`, 'faint')]);
  const beside: Line[] = builds > 0 && stale > 0 ? [[notAsked]] : [];
  return [title, ...outsideLines(plan, screen), ...beside].map((line) => paint(line, screen));
}

function staleCount({ datasets }: PlanDocument): number {
  return datasets.flatMap(({ notAsked = [] }) => notAsked).reduce((sum, { partitions }) => sum + partitions, 0);
}

/** A range is no bound unless it is said: who asked for a year and gets thirteen should read why. */
function outsideLines({ datasets }: PlanDocument, screen: Screen): Line[] {
  const sum = (kind: 'readers' | 'inputs'): number =>
    datasets.reduce((total, { outside }) => total + (outside?.[kind] ?? 0), 0);
  const [readers, inputs] = [sum('readers'), sum('inputs')];
  return [
    ...(readers > 0
      ? [
          `${formatCount(readers)} of them outside of the range, because they read what is built (--only leaves them as they are)`,
        ]
      : []),
    ...(inputs > 0
      ? [`${formatCount(inputs)} of them outside of the range, because it reads them and they are not there`]
      : []),
  ].flatMap((text) => wrap(text, screen.width).map((line): Line => [span(line, 'warn')]));
}

/** What is stale and stays so, and why it is. */
function staleLines(plan: PlanDocument, screen: Screen): string[] {
  const { shown, more } = shownOf(plan, FEW.stale, ({ notAsked = [] }) => notAsked.length > 0);
  const named = aligned(shown);
  const lines = shown.flatMap(({ name, notAsked = [] }) =>
    notAsked.map(({ why, partitions }) =>
      joined([span(named(name), 'strong'), span(formatCount(partitions)), span(why)]),
    ),
  );
  return titled('STALE, not asked for', [...lines, ...more], screen);
}

/** The datasets that a block is about, or the first few of very many and a line that counts the others. */
function shownOf(
  { datasets }: PlanDocument,
  few: number,
  concerned: (one: PlanDocument['datasets'][number]) => boolean,
): { readonly shown: PlanDocument['datasets']; readonly more: Line[] } {
  const all = datasets.filter(concerned);
  if (datasets.length <= DATASETS_MAX || all.length <= few) return { shown: all, more: [] };
  return {
    shown: all.slice(0, few),
    more: [[span(`  and ${plural(all.length - few, 'dataset')} more: --json shows all`, 'faint')]],
  };
}

function countLines(plan: PlanDocument, screen: Screen): string[] {
  const builds = plan.datasets.some(({ build }) => build > 0);
  // What is up to date tells nothing where there is no room for all.
  const crowded = plan.datasets.length > DATASETS_MAX && builds;
  const { shown, more } = shownOf(plan, FEW.counts, ({ build }) => !crowded || build > 0);
  const clockOf = (screen.times ?? IN_UTC).of;
  const rows = shown.map((one): Line[] => [
    [span(one.name, one.build > 0 ? 'strong' : undefined)],
    [span(one.grain)],
    [span(formatCount(one.build), one.build > 0 ? 'busy' : undefined)],
    [span(formatCount(one.missing))],
    [span(formatCount(one.stale), one.stale > 0 ? 'warn' : undefined)],
    [span(formatCount(one.upToDate))],
    [span(formatTime(one.from, clockOf(one.name)))],
    [span(formatTime(one.to, clockOf(one.name)))],
    [span(one.needs.join(', '), 'faint')],
  ]);
  return [...table(COLUMNS, rows, screen), ...more.map((line) => paint(line, screen)), zoneLine(screen)];
}

function whyLines(plan: PlanDocument, screen: Screen): string[] {
  const { shown: datasets, more } = shownOf(plan, FEW.why, ({ intervals }) => intervals.length > 0);
  const named = aligned(datasets);
  const times = screen.times ?? IN_UTC;
  const lines = datasets.flatMap(({ name, intervals }) => {
    const shown = intervals
      .slice(0, WHY_MAX)
      .map((one) =>
        joined([span(named(name), 'strong'), span(formatSpan(one, times.of(name))), span(local(one.why, times))]),
      );
    const left = intervals.length - shown.length;
    return left > 0 ? [...shown, [span(`${named(name)}  and ${plural(left, 'interval')} more`, 'faint')]] : shown;
  });
  return titled('WHY', [...lines, ...more], screen);
}

/** Names as a column; one that is longer than most stands out of it, so that short ones need no wide gap. */
function aligned(datasets: readonly { readonly name: string }[]): (name: string) => string {
  const width = Math.min(NAME_MAX, Math.max(0, ...datasets.map(({ name }) => name.length)));
  return (name) => `  ${name.padEnd(width)}`;
}

/** How many statements the partitions of a transform take: worth a line where there are several. */
function statementLines(plan: PlanDocument, screen: Screen): string[] {
  const { shown, more: others } = shownOf(plan, FEW.statements, ({ build, coalescing }) => build > 1 && !!coalescing);
  const named = aligned(shown);
  const lines = shown.flatMap(({ name, coalescing }): Line[] => {
    if (coalescing === undefined) return [];
    const how = coalescing.joined ? 'joined' : 'one statement per partition';
    const told = `${how}: ${coalescing.reason}`;
    const left = named(name).length + 2;
    const [first = '', ...more] = wrap(told, screen.width - left);
    return [
      joined([[span(named(name), 'strong')], span(first)]),
      ...more.map((line): Line => [span(`${' '.repeat(left)}${line}`)]),
    ];
  });
  return titled('STATEMENTS, adjacent partitions joined or not', [...lines, ...others], screen);
}

function ddlLines({ datasets }: PlanDocument, screen: Screen, whole: boolean): string[] {
  const lines = (whole ? wholeDdl : foldedDdl)(statementsOf(datasets), screen);
  return titled('DDL, run before the first batch', lines, screen);
}

function deferredLines({ deferred = [] }: PlanDocument, screen: Screen): string[] {
  const lines = deferred.map(({ dataset, environment, table: { schema, name } }) =>
    joined([span(`  ${dataset}`, 'strong'), span(`${schema}.${name} of ${environment}`)]),
  );
  return titled('READ ELSEWHERE, because not built here', lines, screen);
}

function leavesStaleLines({ leavesStale, request }: PlanDocument, screen: Screen): string[] {
  const crowded = leavesStale.length > DATASETS_MAX;
  const times = screen.times ?? IN_UTC;
  const left = crowded ? leavesStale.length - FEW.stale : 0;
  const lines = leavesStale
    .slice(0, crowded ? FEW.stale : undefined)
    .flatMap(({ dataset, partitions, intervals, command }) => {
      const spans = intervals.slice(0, 2).map((one) => formatSpan(one, times.of(dataset)));
      const left = intervals.length - spans.length;
      const text = `${spans.join(', ')}${left > 0 ? ` and ${plural(left, 'interval')} more` : ''}`;
      const count = partitions === undefined ? '' : plural(partitions, 'partition');
      const what: Line = joined([span(`  ${dataset}`, 'warn'), span(count), span(text)]);
      return [what, ...commandLines(local(command, times), screen.width - 4).map((part) => [span(`    ${part}`)])];
    });
  const more = left > 0 ? [[span(`  and ${plural(left, 'dataset')} more: --json shows all`, 'faint')]] : [];
  const bound = request['only'] === true ? 'outside of the range or not selected' : 'not selected';
  return titled(`LEAVES STALE, because ${bound}`, [...lines, ...more], screen);
}

function titled(title: string, lines: readonly Line[], screen: Screen): string[] {
  return lines.length === 0 ? [] : [[span(title, 'faint')], ...lines].map((line) => paint(line, screen));
}

function nextLines(plan: PlanDocument, screen: Screen): string[] {
  const built = buildCount(plan) > 0;
  const command = built
    ? sluice(['backfill', ...requestWords(plan.request), '--plan', plan.fingerprint], plan.environment)
    : plan.next;
  if (command === undefined) return [];
  return commandLines(local(command, screen.times), screen.width - 7).map((part, index) =>
    paint([span(index === 0 ? 'type   ' : '       ', 'warn'), span(part, 'strong')], screen),
  );
}
