/** `plan --against`: what deploying a folder would change, for a terminal and for a pull request. */
import type { Comparison, DatasetChange } from '../../planning/against.js';
import { sluice } from './command.js';
import { formatCount, formatDuration, plural } from './format.js';
import { table, type Column } from './table.js';
import { paint, span, type Line, type Screen } from './text.js';

const COLUMNS: readonly Column[] = [
  { title: 'DATASET', min: 12 },
  { title: 'CHANGE' },
  { title: 'STALE', align: 'right', keep: 90 },
  { title: 'TO BUILD', align: 'right', keep: 80 },
  { title: 'SLOT TIME', align: 'right', keep: 70 },
];

const MEANS: Readonly<Record<DatasetChange['change'], string>> = {
  added: 'new',
  changed: 'changed',
  moved: 'another table',
  removed: 'removed; its table stays',
  settings: 'settings only',
  downstream: 'reads what changed',
};

/** Lines of any number. */
export function againstLines(document: Comparison, screen: Screen): string[] {
  const rows = document.datasets.map((one): Line[] => {
    const [name = '', ...cells] = cellsOf(one);
    return [
      [span(name, one.stale + one.missing > 0 ? 'strong' : undefined)],
      ...cells.map((cell): Line => [span(cell)]),
    ];
  });
  return [
    paint([span(headline(document), document.changes ? 'strong' : 'good')], screen),
    ...(rows.length === 0 ? [] : table(COLUMNS, rows, screen)),
    ...nextOf(document).map((command) => paint([span('after deploying   ', 'warn'), span(command, 'strong')], screen)),
  ];
}

/** A comment for a pull request. */
export function markdownLines(document: Comparison): string[] {
  const rows = document.datasets.map((one) => `| ${cellsOf(one).map(escaped).join(' | ')} |`);
  const head = ['| dataset | change | stale | to build | slot time |', '| --- | --- | ---: | ---: | ---: |'];
  return [
    `### sluice: ${headline(document)}`,
    '',
    ...(rows.length === 0 ? [] : [...head, ...rows, '']),
    ...nextOf(document).map((command) => `After deploying: \`${command}\``),
    `<sub>definition ${short(document.local)}, deployed ${document.deployed === null ? 'none' : short(document.deployed)}</sub>`,
  ];
}

function headline({ environment, deployed, changes, stale, missing, seconds, datasets }: Comparison): string {
  const where = deployed === null ? `nothing is deployed in ${environment} yet` : `against ${environment}`;
  if (!changes) return `${where}: no partition changes`;
  const cost = seconds === null ? '' : `, about ${formatDuration(seconds * 1000)} of slot time`;
  const changed = datasets.filter(({ change }) => change !== 'downstream').length;
  const what = `${plural(changed, 'dataset')} ${changed === 1 ? 'differs' : 'differ'}`;
  return `${where}: ${what}, ${plural(stale, 'partition')} stale, ${formatCount(missing)} new${cost}`;
}

function cellsOf({ name, change, stale, missing, published, seconds }: DatasetChange): string[] {
  const means = published > 0 ? `${MEANS[change]}, with ${plural(published, 'partition')}` : MEANS[change];
  return [
    name,
    means,
    stale === 0 ? '' : formatCount(stale),
    missing === 0 ? '' : formatCount(missing),
    seconds === null ? '' : formatDuration(seconds * 1000),
  ];
}

function nextOf({ stale, missing, environment }: Comparison): string[] {
  if (stale > 0) return [sluice(['backfill', '--rebuild', 'stale'], environment)];
  return missing > 0 ? [sluice(['backfill'], environment)] : [];
}

function escaped(cell: string): string {
  return cell.replaceAll('|', '\\|');
}

function short(hash: string): string {
  return hash.slice(0, 8);
}
