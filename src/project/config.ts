import { CONFIRM_PARTITIONS, ConnectionYaml, ProjectYaml } from '../contracts/project.js';
import type { DefaultsYaml, EnvironmentYaml } from '../contracts/project.js';
import type { Problem } from '../contracts/errors.js';
import { z } from 'zod';
import { readTime } from '../core/time/text.js';
import { checkAlternates } from './alternates.js';
import { budgetOf, checkBudget } from './budget.js';
import { badTime } from './mistakes.js';
import { isIdentifier, isSystemSchema, NAME, NAME_RULE } from './names.js';
import { didYouMean } from './nearest.js';
import type { Connection } from './project.js';
import { shape } from './shape.js';
import { isNode } from './sql/parser.js';
import { resolvePlain } from './template.js';
import type { Env } from './template.js';
import { problemAt } from './text.js';
import type { Flags, Mistake } from './text.js';
import { readYaml } from './yaml.js';
import type { Path, YamlSource } from './yaml.js';

export const PROJECT_FILE = 'sluice.yaml';

/** `sluice.yaml` in one environment; what is wrong in it is absent or a stand-in, so that datasets can be checked all the same. */
export interface Config {
  readonly name: string;
  readonly timezone: string;
  /** Undefined when they can't be read: then no name is unknown. */
  readonly connections: ReadonlyMap<string, Connection> | undefined;
  readonly warehouse: string;
  readonly schema: string;
  /** The schemas by which SQL may qualify a dataset: the environment's and the project's own. */
  readonly schemas: ReadonlySet<string>;
  readonly protected: boolean;
  readonly defer?: string;
  readonly defaults: DefaultsYaml;
  readonly flags: Flags;
  readonly pools: ReadonlyMap<string, number>;
  readonly confirm: number;
  /** The document, variables resolved. */
  readonly source: YamlSource | undefined;
  /** Its value as written, but for the schemas that it writes to: see `withSchemas`. */
  readonly written: unknown;
}

export interface ConfigOptions {
  readonly environment: string;
  readonly env: Env;
  /** Connections of a registered definition have no `url`. */
  readonly registered: boolean;
  /** Values of flags that go before those of the file. */
  readonly set?: Flags;
}

const PartialProject = ProjectYaml.partial().extend({
  connections: z.record(z.string(), ConnectionYaml.partial()).optional(),
});
type PartialProject = z.output<typeof PartialProject>;

/** Reads `sluice.yaml`. */
export function readConfig(
  text: string | undefined,
  options: ConfigOptions,
): { config: Config; problems: readonly Problem[] } {
  const nothing = { ...configOf({}, undefined, options), written: undefined };
  if (text === undefined) {
    const remedy = 'make a project with: sluice init DIR';
    const problem = { code: 'no_project', message: `there is no ${PROJECT_FILE}`, remedy };
    return { config: nothing, problems: [problemAt(PROJECT_FILE, undefined, problem)] };
  }
  const read = readYaml(PROJECT_FILE, text);
  if (!('source' in read)) return { config: nothing, problems: read.problems };
  const resolved = resolveVariables(read.source, options);
  const { value, problems } = shape(ProjectYaml, PartialProject, resolved.source);
  const yaml = value ?? {};
  return {
    config: {
      ...configOf(yaml, resolved.source, options),
      written: withSchemas(read.source.value, resolved.source.value, options),
    },
    problems: [...resolved.problems, ...problems, ...checkNames(yaml, read.source, options)],
  };
}

function configOf(
  yaml: PartialProject,
  source: YamlSource | undefined,
  options: ConfigOptions,
): Omit<Config, 'written'> {
  const environment = environmentOf(yaml, options);
  const base = yaml.schema ?? 'public';
  const schema = environment.schema ?? base;
  return {
    name: yaml.project ?? '',
    timezone: yaml.timezone ?? 'UTC',
    connections:
      yaml.connections && connectionsOf(yaml.connections, environment.connections ?? {}, yaml.timezone ?? 'UTC'),
    warehouse: yaml.warehouse ?? '',
    schema,
    schemas: new Set([schema, base]),
    protected: environment.protected ?? false,
    ...(environment.defer === undefined ? {} : { defer: environment.defer }),
    defaults: yaml.defaults ?? {},
    flags: new Map([...Object.entries({ ...yaml.flags, ...environment.flags }), ...(options.set ?? [])]),
    pools: new Map(Object.entries(yaml.pools ?? {}).map(([name, pool]) => [name, pool.slots])),
    confirm: yaml.confirm?.partitions ?? CONFIRM_PARTITIONS,
    source,
  };
}

/** The overrides of the environment in use; its name comes from outside, so it may be `constructor`. */
function environmentOf({ environments }: PartialProject, { environment }: ConfigOptions): EnvironmentYaml {
  return (environments && Object.hasOwn(environments, environment) ? environments[environment] : null) ?? {};
}

type PartialConnections = NonNullable<EnvironmentYaml['connections']>;

function connectionsOf(
  base: PartialConnections,
  overrides: PartialConnections,
  timezone: string,
): Map<string, Connection> {
  const names = new Set([...Object.keys(base), ...Object.keys(overrides)]);
  return new Map(
    [...names].map((name) => {
      const { url = '', budget = {}, alternates = [] } = { ...base[name], ...overrides[name] };
      return [name, { name, type: 'postgres', url, budget: budgetOf(budget, timezone), alternates }];
    }),
  );
}

/** Resolves every text of the file but the URLs of connections and the environments that are not used. */
function resolveVariables(
  source: YamlSource,
  { environment, env }: ConfigOptions,
): { source: YamlSource; problems: Problem[] } {
  const problems: Problem[] = [];
  const resolve = (value: unknown, path: Path): unknown => {
    if (path.at(-1) === 'url' && path.includes('connections')) return value;
    if (path.length === 2 && path[0] === 'environments' && path[1] !== environment) return value;
    if (typeof value === 'string') {
      const { text, mistakes } = resolvePlain(value, env);
      for (const mistake of mistakes)
        problems.push(
          problemAt(source.file, source.placeOf(path), {
            ...mistake,
            message: `${path.map(String).join('.')}: ${mistake.message}`,
          }),
        );
      return text;
    }
    if (Array.isArray(value)) return value.map((item, index) => resolve(item, [...path, index]));
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([key, child]) => [key, resolve(child, [...path, key])]));
  };
  return { source: { ...source, value: resolve(source.value, []) }, problems };
}

/**
 * The file as written, with the schemas of the environment in use as they are here: whoever carries the definition out writes the tables that its author
 * meant, though `${USER}` is another there. A schema is no secret; values of all else stay with whoever reads them.
 */
function withSchemas(written: unknown, resolved: unknown, { environment }: ConfigOptions): unknown {
  return PLACES_OF_SCHEMA(environment).reduce((value, path) => copied(value, resolved, path), written);
}

const PLACES_OF_SCHEMA = (environment: string): readonly (readonly string[])[] => [
  ['schema'],
  ['environments', environment, 'schema'],
];

/** `into` with the value that `from` has at `path`; as it is where either has none. */
function copied(into: unknown, from: unknown, path: readonly string[]): unknown {
  const [key, ...rest] = path;
  if (key === undefined) return from;
  if (!isNode(into) || !isNode(from) || !Object.hasOwn(into, key) || !Object.hasOwn(from, key)) return into;
  return { ...into, [key]: copied(into[key], from[key], rest) };
}

function checkNames(yaml: PartialProject, source: YamlSource, options: ConfigOptions): Problem[] {
  const problems: Problem[] = [];
  const report = (path: Path, mistake: Mistake): void => {
    problems.push(problemAt(source.file, source.placeOf(path), mistake));
  };
  const names: [Path, string | undefined][] = [[['project'], yaml.project]];
  for (const name of Object.keys(yaml.connections ?? {})) names.push([['connections', name], name]);
  for (const name of Object.keys(yaml.pools ?? {})) names.push([['pools', name], name]);
  for (const name of Object.keys(yaml.environments ?? {})) names.push([['environments', name], name]);
  for (const [path, name] of names) {
    if (name !== undefined && !NAME.test(name))
      report(path, {
        code: 'bad_name',
        message: `${JSON.stringify(name)} is no name`,
        remedy: `a name is ${NAME_RULE}`,
      });
  }
  const start = yaml.defaults?.start;
  if (start !== undefined && !readTime(start, yaml.timezone ?? 'UTC')) report(['defaults', 'start'], badTime(start));
  checkConnections(yaml, options, report);
  checkEnvironment(yaml, options, report);
  return problems;
}

type Report = (path: Path, mistake: Mistake) => void;

function checkConnections(yaml: PartialProject, options: ConfigOptions, report: Report): void {
  const { connections, warehouse } = yaml;
  if (connections === undefined) return;
  const overrides = environmentOf(yaml, options).connections ?? {};
  const known = [...new Set([...Object.keys(connections), ...Object.keys(overrides)])];
  const merged = Object.fromEntries(known.map((name) => [name, { ...connections[name], ...overrides[name] }]));
  if (warehouse !== undefined && !known.includes(warehouse)) {
    report(['warehouse'], {
      code: 'unknown_connection',
      message: `warehouse: there is no connection ${warehouse}`,
      remedy: didYouMean(warehouse, known, `connections: ${known.join(', ')}`),
    });
  }
  for (const name of known) {
    const path = connections[name] ? ['connections', name] : ['environments', options.environment, 'connections', name];
    if (!connections[name] && overrides[name]?.type === undefined)
      report(path, {
        code: 'missing_key',
        message: `${path.join('.')}.type is missing`,
        remedy: 'write type: postgres',
      });
    const own = overrides[name]?.budget;
    const budget = own ?? connections[name]?.budget;
    const at = own === undefined ? ['connections', name] : ['environments', options.environment, 'connections', name];
    if (budget) checkBudget(budget, { path: [...at, 'budget'], timezone: yaml.timezone ?? 'UTC', report });
    const fromOverride = overrides[name]?.alternates !== undefined;
    checkAlternates(name, merged, warehouse, (index, mistake) => {
      const owner = fromOverride ? ['environments', options.environment] : [];
      report([...owner, 'connections', name, 'alternates', index], mistake);
    });
    if (options.registered || connections[name]?.url !== undefined || overrides[name]?.url !== undefined) continue;
    report(path, {
      code: 'missing_key',
      message: `${path.join('.')}.url is missing`,
      remedy: 'write url: "${SOME_URL}" or url: embedded:<database>',
    });
  }
}

function checkEnvironment(yaml: PartialProject, options: ConfigOptions, report: Report): void {
  const { environments, schema } = yaml;
  const { environment } = options;
  const known = ['default', ...Object.keys(environments ?? {}).filter((name) => name !== 'default')];
  if (!known.includes(environment)) {
    const remedy = didYouMean(environment, known, `environments: ${known.join(', ')}`);
    report(['environments'], {
      code: 'unknown_environment',
      message: `there is no environment ${environment}`,
      remedy,
    });
  }
  const { defer, schema: own } = environmentOf(yaml, options);
  if (defer !== undefined && (!known.includes(defer) || defer === environment)) {
    const remedy = `it reads from another environment: ${known.filter((name) => name !== environment).join(', ')}`;
    report(['environments', environment, 'defer'], {
      code: 'unknown_environment',
      message: `defer: ${defer} cannot be read from`,
      remedy,
    });
  }
  const schemas: [Path, string | undefined][] = [
    [['schema'], schema],
    [['environments', environment, 'schema'], own],
  ];
  for (const [path, name] of schemas) {
    if (name === undefined) continue;
    if (!isIdentifier(name))
      report(path, {
        code: 'bad_name',
        message: 'schema: not a name that PostgreSQL keeps',
        remedy: 'a plain name, case kept, at most 63 bytes',
      });
    else if (isSystemSchema(name))
      report(path, {
        code: 'reserved_name',
        message: `schema: ${name} is not for datasets`,
        remedy: 'choose another schema',
      });
  }
}
