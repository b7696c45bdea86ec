import { isNode } from '../sql/parser.js';
import type { DbtNode, Manifest } from './manifest.js';
import { oneLine } from './notes.js';

/** Something of the dbt project that is not in what was made, or not as it was. */
export interface NotCarried {
  /** dbt's own id: `model.shop.orders`. */
  readonly id: string;
  readonly reason: string;
}

/** What of a dbt project is no model; tests in `kept` have become keys. */
export function othersIn(manifest: Manifest, kept: ReadonlySet<string>): NotCarried[] {
  const nodes = Object.entries(manifest.nodes).flatMap(([id, node]) =>
    node.resource_type === 'model' || kept.has(id) ? [] : [{ id, reason: reasonOf(node) }],
  );
  const sources = Object.entries(manifest.sources).flatMap(([id, { loaded_at_field, freshness }]) =>
    loaded_at_field !== undefined || hasCount(freshness)
      ? [{ id, reason: 'freshness of a source: keep running `dbt source freshness`' }]
      : [],
  );
  const all = (of: Readonly<Record<string, unknown>> | null | undefined, reason: string): NotCarried[] =>
    Object.keys(of ?? {}).map((id) => ({ id, reason }));
  return [
    ...nodes,
    ...sources,
    ...all(manifest.unit_tests, 'a unit test: keep running it with dbt'),
    ...all(manifest.functions, 'a function: dbt goes on making it'),
    ...all(manifest.exposures, 'an exposure: it says who reads, and nothing is built of it'),
    ...all(manifest.metrics, 'a metric: nothing is built of it'),
    ...all(manifest.semantic_models, 'a semantic model: nothing is built of it'),
    ...all(manifest.saved_queries, 'a saved query: it asks for metrics, which are not here'),
    ...all(manifest.disabled, 'disabled: dbt does not build it either'),
  ];
}

function reasonOf({ resource_type: type, test_metadata: test, tags, raw_code, compiled_code }: DbtNode): string {
  switch (type) {
    case 'test':
      return `a test (${test?.name ?? 'of its own SQL'}): keep running it with dbt`;
    case 'seed':
    case 'snapshot':
      return `a ${type}: dbt goes on making its table; datasets that read it say so under \`reads:\``;
    case 'operation': {
      const when = tags?.find((tag) => tag.startsWith('on-run-')) ?? 'on-run-start or on-run-end';
      const sql = raw_code ?? compiled_code;
      return `a hook of every run of dbt (${when}): nothing here runs it${sql === undefined ? '' : `: \`${oneLine(sql)}\``}`;
    }
    case 'analysis':
      return 'an analysis: dbt only compiles it';
    default:
      return `of type ${type}: that is not known here`;
  }
}

/** Whether a freshness says how old: `{ warn_after: { count: 12, … } }`. */
function hasCount(freshness: unknown): boolean {
  return (
    isNode(freshness) && Object.values(freshness).some((limit) => isNode(limit) && typeof limit['count'] === 'number')
  );
}
