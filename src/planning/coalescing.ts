import type { Coalescing } from '../contracts/plan.js';
import { changesClocks } from '../core/time/zone.js';
import { isZoneless } from '../postgres/time.js';
import { isLong } from '../project/coalesce/bucket.js';
import { REASONS } from '../project/coalesce/refusal.js';
import { whyNotJoined } from '../project/coalesce/judge.js';
import type { Dataset, TransformBody } from '../project/project.js';
import { parseTree } from '../project/sql/parser.js';

type Asked = Pick<Dataset, 'name' | 'axis' | 'start' | 'time' | 'coalesce'>;

const refused = (code: string, reason: string): Coalescing => ({ joined: false, code, reason });
const joined = (code: string, reason: string): Coalescing => ({ joined: true, code, reason });

/**
 * Whether one statement may build adjacent partitions of a transform: as its author says, or the judge; undefined where there is but one.
 * `timeType` is the type of its time column. What cannot be joined is not, whatever its author says.
 */
export function coalescingOf(dataset: Asked, { statement }: TransformBody, timeType: string): Coalescing | undefined {
  const { name, axis, time, coalesce } = dataset;
  if (time === null) return undefined;
  if (coalesce === 'never') return refused('never', 'its settings say coalesce: never');
  if (statement.relations.some((relation) => relation.dataset === name))
    return refused('reads_itself', REASONS.reads_itself());
  if (isZoneless(timeType) && !isLong(axis.grain) && changesClocks(axis.zone, dataset.start))
    return refused(
      'zoneless_time',
      `${time} is a ${timeType}: when clocks go back it does not tell two partitions apart`,
    );
  if (coalesce === 'always') return joined('always', 'its settings say coalesce: always');
  const tree = parseTree(statement.text);
  const [parsed] = 'code' in tree ? [] : tree.statements;
  if (!parsed) throw new TypeError(`${name}: a statement that was parsed before has no tree`);
  const refusal = whyNotJoined({ tree: parsed.node, grain: axis.grain, time });
  return refusal ? refused(refusal.code, refusal.reason) : joined('proven', 'no row depends on another partition');
}

/** How a screen shows whether adjacent partitions share a statement. */
export interface HowJoined {
  readonly joined: boolean;
  readonly why: string;
}

/**
 * The same from the text alone, before any database is asked; null where it does not matter: an extract reads each partition by itself, and
 * calls, views and `grain: none` have no statement to share. The type of the time column, which only planning knows, speaks against it
 * below a day in a zone whose clocks change, where planning refuses a time without a zone anyway.
 */
export function howJoined(dataset: Dataset): HowJoined | null {
  const { body, publish } = dataset;
  const coalescing = body.kind === 'transform' && publish !== 'view' ? coalescingOf(dataset, body, '') : undefined;
  return coalescing === undefined ? null : { joined: coalescing.joined, why: coalescing.reason };
}
