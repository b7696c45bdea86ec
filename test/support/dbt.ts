import { convertDbt } from '../../src/project/dbt/convert.js';
import { loadProject } from '../../src/project/load.js';
import type { Dataset } from '../../src/project/project.js';
import { readManifest, type Manifest } from '../../src/project/dbt/manifest.js';

/** A model of a manifest: its SQL as compiled, and what else it has. */
export interface ModelOf {
  readonly sql: string;
  readonly config?: object;
  readonly more?: object;
}

/** A manifest as dbt writes it, cut down to its models (in the schema `dbt`, of the package `shop`), a source and whatever else. */
export function manifestJson(
  models: Readonly<Record<string, ModelOf>>,
  more: { nodes?: object; [key: string]: unknown } = {},
): string {
  const nodes = Object.entries(models).map(([name, { sql, config, more: rest }]): [string, object] => [
    `model.shop.${name}`,
    {
      ...{
        unique_id: `model.shop.${name}`,
        resource_type: 'model',
        name,
        alias: name,
        database: 'wh',
        schema: 'dbt',
        language: 'sql',
      },
      ...{
        package_name: 'shop',
        fqn: ['shop', name],
        config: { materialized: 'table', ...config },
        compiled_code: sql,
        ...rest,
      },
    },
  ]);
  return JSON.stringify({
    metadata: { dbt_schema_version: 'https://schemas.getdbt.com/dbt/manifest/v12.json', adapter_type: 'postgres' },
    sources: {
      'source.shop.raw.sale': {
        name: 'sale',
        identifier: 'sale',
        database: 'wh',
        schema: 'raw',
        config: { event_time: 'at' },
      },
    },
    ...more,
    nodes: { ...Object.fromEntries(nodes), ...more.nodes },
  });
}

export function manifestOf(...args: Parameters<typeof manifestJson>): Manifest {
  return readManifest(manifestJson(...args), 'manifest.json');
}

type More = Parameters<typeof manifestOf>[1];
export interface Outcome {
  readonly datasets: ReadonlyMap<string, Dataset>;
  readonly file: (name: string) => string;
  readonly said: (name: string) => string;
}

/** A model that nothing is wrong with, so that there is something to carry over. */
export const STG: ModelOf = { sql: 'select id, v, at from "wh"."raw"."sale"' };

export async function convert(models: Readonly<Record<string, ModelOf>>, more: More = {}): Promise<Outcome> {
  const { files, notCarried } = await convertDbt(manifestOf({ stg: STG, ...models }, more), 'shop');
  const { datasets } = await loadProject(files, { environment: 'default', env: {} });
  return {
    datasets,
    file: (name) => Object.entries(files).find(([path]) => path.endsWith(`/${name}.sql`))?.[1] ?? '',
    said: (name) => notCarried.flatMap(({ id, reason }) => (id.endsWith(`.${name}`) ? [reason] : [])).join('\n'),
  };
}

const BATCH = {
  materialized: 'incremental',
  incremental_strategy: 'microbatch',
  batch_size: 'day',
  begin: '2024-01-01',
  event_time: 'at',
  unique_key: 'id',
};
/** A microbatch model, compiled of what its author wrote. */
export const batch = (raw: string, config: object = {}, more: object = {}): ModelOf => ({
  sql: raw
    .replaceAll(/\{\{ ref\('(\w+)'\)(\.render\(\))? \}\}/g, '"wh"."dbt"."$1"')
    .replaceAll("{{ source('raw', 'sale') }}", '"wh"."raw"."sale"')
    .replaceAll(/\{[{%#].*?[%}#]\}/g, ''),
  config: { ...BATCH, ...config },
  more: { raw_code: raw, ...more },
});
