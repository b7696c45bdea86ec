import { isNode, nodesOf, type Node } from '../sql/parser.js';
import { stringsOf } from '../sql/walk.js';

const words = (text: string): string[] => text.trim().split(/\s+/);

/** Their value depends on the set of rows alone, not on the order in which they come. */
const AGGREGATES = new Set(
  words(`count sum avg min max bool_and bool_or every bit_and bit_or bit_xor stddev stddev_pop stddev_samp variance
    var_pop var_samp corr covar_pop covar_samp percentile_cont percentile_disc`),
);
/** Aggregates and window functions that go by order: they need an ORDER BY. */
const ORDERED_AGGREGATES = new Set(words('array_agg string_agg json_agg jsonb_agg'));
const ORDERED_WINDOWS = new Set(
  words('row_number rank dense_rank percent_rank cume_dist ntile lag lead first_value last_value nth_value'),
);
/** STABLE or IMMUTABLE functions of PostgreSQL that know nothing of the clock, the transaction or the session's history. */
const SCALARS = new Set(
  words(`abs ceil ceiling floor round trunc mod div power sqrt cbrt exp ln log log10 sign degrees radians pi
    upper lower initcap length char_length character_length octet_length substring substr left right position strpos replace translate
    btrim ltrim rtrim lpad rpad concat concat_ws split_part reverse repeat md5 sha256 encode decode starts_with ascii chr format
    regexp_replace regexp_match regexp_matches regexp_substr regexp_count like_escape similar_to_escape
    to_char to_date to_number to_timestamp date_trunc date_part extract date_bin make_date make_time make_interval make_timestamp
    make_timestamptz timezone justify_days justify_hours justify_interval isfinite overlaps width_bucket num_nulls num_nonnulls
    cardinality array_length array_position array_append array_to_string string_to_array unnest generate_series
    json_build_object jsonb_build_object to_json to_jsonb jsonb_array_elements jsonb_array_elements_text json_array_elements
    jsonb_array_length jsonb_extract_path jsonb_extract_path_text jsonb_typeof jsonb_each jsonb_each_text jsonb_object_keys`),
);

/** A function's name; with a schema where that is not PostgreSQL's own. */
export function functionName(call: Node): string {
  const names = stringsOf(call['funcname']);
  return (names[0] === 'pg_catalog' ? names.slice(1) : names).join('.');
}

export function isKnownFunction(name: string): boolean {
  return [AGGREGATES, ORDERED_AGGREGATES, ORDERED_WINDOWS, SCALARS].some((known) => known.has(name));
}

export function isAggregate(call: Node): boolean {
  if (isNode(call['over'])) return false;
  const marked = ['agg_star', 'agg_within_group', 'agg_distinct', 'agg_filter', 'agg_order'].some((key) => key in call);
  const name = functionName(call);
  return marked || AGGREGATES.has(name) || ORDERED_AGGREGATES.has(name);
}

/** Whether a call goes by an order that it does not say. `ordered`: whether its window has an ORDER BY. */
export function lacksOrder(call: Node, ordered: boolean): boolean {
  const name = functionName(call);
  if (ORDERED_AGGREGATES.has(name)) return nodesOf(call['agg_order']).length === 0 && !ordered;
  return ORDERED_WINDOWS.has(name) && isNode(call['over']) && !ordered;
}
