import { z } from 'zod';
import { RequestError } from '../../contracts/errors.js';

/** What is read of dbt's `target/manifest.json`, version 12 (dbt 1.8 and later); other keys are left alone. */
const text = z.string();
/** dbt writes null for what is not set. */
const maybe = text.nullish().transform((value) => value ?? undefined);
const list = z.union([text.transform((one) => [one]), z.array(text)]);
const names = list.nullish().transform((value) => value ?? undefined);
const flag = z.boolean().nullish();
const anything = z.record(text, z.unknown()).nullish();

const Hook = z.union([text, z.looseObject({ sql: text }).transform(({ sql }) => sql)]);
const hooks = z
  .union([Hook.transform((one) => [one]), z.array(Hook)])
  .nullish()
  .transform((value) => value ?? []);

const Config = z.looseObject({
  materialized: maybe,
  incremental_strategy: maybe,
  unique_key: names,
  event_time: maybe,
  batch_size: maybe,
  lookback: z.union([z.number(), text]).nullish(),
  begin: maybe,
  on_schema_change: maybe,
  full_refresh: flag,
  'pre-hook': hooks,
  'post-hook': hooks,
  sql_header: maybe,
  grants: z
    .record(text, list)
    .nullish()
    .transform((value) => value ?? {}),
  indexes: z.array(z.looseObject({ columns: names, unique: flag, type: maybe })).nullish(),
  unlogged: flag,
  persist_docs: anything,
  contract: z.looseObject({ enforced: flag }).nullish(),
  incremental_predicates: names,
  merge_update_columns: names,
  merge_exclude_columns: names,
  quoting: anything,
  meta: anything,
  // Of tests.
  where: maybe,
  severity: maybe,
  error_if: maybe,
});

const Constraint = z.looseObject({ type: text, expression: maybe, columns: z.array(text).nullish() });
export type Constraint = z.output<typeof Constraint>;

const Column = z.looseObject({ name: text, quote: flag, constraints: z.array(Constraint).nullish() });

/** What a model, a seed, a snapshot and a source have alike: a table. */
const table = {
  name: text,
  database: maybe,
  schema: text,
  /** As dbt writes it into SQL; null for what has no table. */
  relation_name: maybe,
  quoting: anything,
  columns: z.record(text, Column).nullish(),
  config: Config.nullish(),
  package_name: maybe,
};

const depends = z.looseObject({ macros: z.array(text).nullish(), nodes: z.array(text).nullish() }).nullish();
const version = z
  .union([text, z.number()])
  .nullish()
  .transform((value) => (value === null || value === undefined ? undefined : String(value)));

const Node = z.looseObject({
  ...table,
  unique_id: text,
  resource_type: text,
  alias: maybe,
  language: maybe,
  description: maybe,
  tags: z.array(text).nullish(),
  raw_code: maybe,
  compiled_code: maybe,
  depends_on: depends,
  constraints: z.array(Constraint).nullish(),
  version,
  latest_version: version,
  fqn: z.array(text).nullish(),
  attached_node: maybe,
  column_name: maybe,
  test_metadata: z.looseObject({ name: text, kwargs: anything }).nullish(),
});
export type DbtNode = z.output<typeof Node>;

const Source = z.looseObject({
  ...table,
  identifier: maybe,
  source_name: maybe,
  loaded_at_field: maybe,
  freshness: z.unknown().optional(),
});
export type DbtSource = z.output<typeof Source>;

const Macro = z.looseObject({ name: text, package_name: maybe, macro_sql: text, depends_on: depends });
export type DbtMacro = z.output<typeof Macro>;

const others = z.record(text, z.unknown()).nullish();

const Manifest = z.looseObject({
  metadata: z.looseObject({ dbt_schema_version: text, adapter_type: maybe, project_name: text.nullish() }),
  nodes: z.record(text, Node),
  sources: z.record(text, Source).default({}),
  macros: z.record(text, Macro).default({}),
  exposures: others,
  metrics: others,
  semantic_models: others,
  saved_queries: others,
  unit_tests: others,
  functions: others,
  disabled: others,
});
export type Manifest = z.output<typeof Manifest>;

const VERSION = /\/manifest\/v(\d+)\.json$/;

/** @throws RequestError for what is no manifest, of a version that is not known, or compiled for another database */
export function readManifest(json: string, file: string): Manifest {
  const bad = (code: string, message: string, remedy: string): RequestError =>
    new RequestError(code, `${file}: ${message}`, remedy);
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch {
    throw bad('bad_manifest', 'this is no JSON', 'name the manifest.json that `dbt compile` writes to target/');
  }
  const head = z.object({ metadata: z.object({ dbt_schema_version: text }) }).safeParse(value);
  const version = VERSION.exec(head.data?.metadata.dbt_schema_version ?? '')?.[1];
  if (version !== '12') {
    const what = version === undefined ? 'names no manifest version of dbt' : `is a manifest of version ${version}`;
    throw bad(
      'manifest_version',
      `it ${what}; version 12 is known`,
      'compile with dbt 1.8 or later, which writes version 12',
    );
  }
  const { data, error } = Manifest.safeParse(value);
  if (!data) {
    const [issue] = error.issues;
    throw bad(
      'bad_manifest',
      `${issue?.path.join('.') ?? ''}: ${issue?.message ?? ''}`,
      'write it anew with `dbt compile`',
    );
  }
  const adapter = data.metadata.adapter_type ?? 'postgres';
  if (adapter === 'postgres') return data;
  throw bad(
    'manifest_adapter',
    `its SQL is compiled for ${adapter}`,
    'compile with a postgres target: sluice writes to PostgreSQL',
  );
}
