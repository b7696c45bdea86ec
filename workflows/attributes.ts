import { defineSearchAttributeKey, SearchAttributeType, type SearchAttributePair } from '@temporalio/common';

const KEYS = {
  project: defineSearchAttributeKey('SluiceProject', SearchAttributeType.KEYWORD),
  environment: defineSearchAttributeKey('SluiceEnvironment', SearchAttributeType.KEYWORD),
  dataset: defineSearchAttributeKey('SluiceDataset', SearchAttributeType.KEYWORD),
  state: defineSearchAttributeKey('SluiceState', SearchAttributeType.KEYWORD),
  owner: defineSearchAttributeKey('SluiceOwner', SearchAttributeType.KEYWORD),
} as const;

type Values = Partial<Record<Exclude<keyof typeof KEYS, 'project' | 'environment'>, string>>;
interface Scope {
  readonly project: string;
  readonly environment: string;
}

/** Search attributes by which `temporal workflow list --query` finds a project's, a dataset's or a failed backfill. */
export function attributesOf({ project, environment }: Scope, values: Values): SearchAttributePair[] {
  const pairs: SearchAttributePair[] = [
    { key: KEYS.project, value: project },
    { key: KEYS.environment, value: environment },
  ];
  for (const name of ['dataset', 'state', 'owner'] as const) {
    const value = values[name];
    if (value !== undefined) pairs.push({ key: KEYS[name], value });
  }
  return pairs;
}

/** The same as memo fields, for a namespace on which the attributes may not be registered: unregistered ones would block the workflow. */
export function memoOf({ project, environment }: Scope, values: Values): Record<string, string> {
  const memo: Record<string, string> = { SluiceProject: project, SluiceEnvironment: environment };
  for (const name of ['dataset', 'state', 'owner'] as const) {
    const value = values[name];
    if (value !== undefined) memo[KEYS[name].name] = value;
  }
  return memo;
}
