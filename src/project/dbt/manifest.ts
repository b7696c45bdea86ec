import { z } from 'zod';
import { RequestError } from '../../contracts/errors.js';

/** What is read of dbt's `target/manifest.json`, version 12 (dbt 1.8 and later); other keys are left alone. */
const text = z.string();
/** dbt writes null for what is not set. */
const maybe = text.nullish().transform((value) => value ?? undefined);
const names = z.union([text.transform((one) => [one]), z.array(text)]);

const Config = z.looseObject({
  materialized: maybe,
  incremental_strategy: maybe,
  unique_key: names.nullish().transform((value) => value ?? undefined),
  event_time: maybe,
  batch_size: maybe,
  lookback: z.union([z.number(), text]).nullish(),
  begin: maybe,
  on_schema_change: maybe,
  meta: z.record(text, z.unknown()).nullish(),
});

const Node = z.looseObject({
  unique_id: text,
  resource_type: text,
  name: text,
  alias: maybe,
  database: maybe,
  schema: text,
  language: maybe,
  description: maybe,
  tags: z.array(text).nullish(),
  config: Config.nullish(),
  compiled_code: maybe,
  fqn: z.array(text).nullish(),
  attached_node: maybe,
  column_name: maybe,
  test_metadata: z.looseObject({ name: text }).nullish(),
});
export type DbtNode = z.output<typeof Node>;

const Source = z.looseObject({
  name: text,
  identifier: maybe,
  database: maybe,
  schema: text,
  config: Config.nullish(),
});

const Manifest = z.looseObject({
  metadata: z.looseObject({ dbt_schema_version: text, adapter_type: maybe, project_name: text.nullish() }),
  nodes: z.record(text, Node),
  sources: z.record(text, Source).default({}),
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
