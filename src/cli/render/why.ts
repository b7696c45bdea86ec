/** `why DATASET TIME`: the chain of causes of a partition's state. */
import { commandLines } from './command.js';
import { formatSpan } from './format.js';
import { paint, span, visibleWidth, wrap } from './text.js';
import type { Line, Screen, Style } from './text.js';
import { IN_UTC, local } from './times.js';

/** A partition, how it stands and because of what; `inputs` are the causes of the cause. */
export interface WhyNode {
  readonly dataset: string;
  readonly interval: { readonly start: string; readonly end: string };
  readonly state:
    'published' | 'stale' | 'missing' | 'waiting' | 'running' | 'failed' | 'blocked' | 'skipped' | 'paused' | 'held';
  /** One sentence. */
  readonly cause: string;
  /** The command that helps, if one does. */
  readonly next?: string;
  readonly inputs: readonly WhyNode[];
}

const STYLES: Record<WhyNode['state'], Style> = {
  published: 'good',
  stale: 'warn',
  missing: 'warn',
  waiting: 'faint',
  running: 'busy',
  failed: 'bad',
  blocked: 'warn',
  skipped: 'faint',
  paused: 'warn',
  held: 'warn',
};

/** The tree, causes indented under what they cause; a cause's text is wrapped, a command never broken inside a word. */
export function whyLines(root: WhyNode, screen: Screen): string[] {
  return nodeLines(root, '', '', screen);
}

/** How the partition and those beside it are built: what a change to one of them costs. */
export function coalesceLines({ joined, why }: { joined: boolean; why: string }, screen: Screen): string[] {
  const how = joined ? 'share a statement' : 'are built one by one';
  return [
    '',
    ...wrap(`Adjacent partitions ${how}: ${why}.`, screen.width).map((text) => paint([span(text, 'faint')], screen)),
  ];
}

function nodeLines(node: WhyNode, head: string, rest: string, screen: Screen): string[] {
  // On a narrow screen deep guides lose their left part, so that the text keeps half of it.
  const fit = (guide: string): string => guide.slice(-Math.max(1, Math.floor(screen.width / 2)));
  const self: Line = [
    span(head === '' ? '' : fit(head), 'faint'),
    span(node.dataset, 'strong'),
    span(` ${formatSpan(node.interval, (screen.times ?? IN_UTC).of(node.dataset))} `),
    span(node.state, STYLES[node.state]),
  ];
  const under = fit(`${rest}${node.inputs.length > 0 ? '│ ' : '  '}`);
  const room = screen.width - visibleWidth(under);
  const below: Line[] = [
    ...wrap(local(node.cause, screen.times), room).map((text): Line => [span(under, 'faint'), span(text)]),
    ...(node.next === undefined ? [] : commandLines(local(node.next, screen.times), room - 5)).map(
      (text, index): Line => [
        span(under, 'faint'),
        span(index === 0 ? 'type ' : '     ', 'warn'),
        span(text, 'strong'),
      ],
    ),
  ];
  const inputs = node.inputs.flatMap((input, index) => {
    const last = index === node.inputs.length - 1;
    return nodeLines(input, `${rest}${last ? '└─ ' : '├─ '}`, `${rest}${last ? '   ' : '│  '}`, screen);
  });
  return [...[self, ...below].map((line) => paint(line, screen)), ...inputs];
}
