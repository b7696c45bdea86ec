import type { Grain } from '../../core/time/axis.js';
import type { Item } from './bucket.js';
import type { Objections } from './refusal.js';

/** A query or a table: whether its rows belong to partitions each, and which columns lie within these. */
export type Relation = Omit<Item, 'alias'>;
/** Queries of WITH by name. */
export type Scope = ReadonlyMap<string, Relation>;

/** What goes along through a statement. */
export interface Context {
  readonly grain: Grain;
  readonly objections: Objections;
  /** Uses of `:start` and `:end` that are understood. */
  readonly used: Set<unknown>;
  /** Marks all uses below a node, for which there is a refusal already. */
  readonly ignore: (value: unknown) => void;
}
