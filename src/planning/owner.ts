import { typedIn } from '../contracts/typed.js';
import { RequestError } from '../contracts/errors.js';
import { quoteTable } from '../postgres/quote.js';
import { datasetFiles } from '../project/layout.js';
import { showTable } from '../project/names.js';
import type { Dataset, Project } from '../project/project.js';
import { deployedDefinition, loadDefinition } from '../store/definitions.js';
import type { Db, Scope } from '../store/store.js';
import { ownerOf, type Owner } from '../store/tables.js';
import { isSame } from './places.js';

/** The datasets that the workers of a scope deploy; none where nothing is deployed. */
export async function deployedNames(db: Db, scope: Scope): Promise<ReadonlySet<string>> {
  const hash = await deployedDefinition(db, scope);
  const definition = hash === undefined ? undefined : await loadDefinition(db, hash);
  return new Set(datasetFiles(definition?.files ?? {}).files.map(({ name }) => name));
}

/**
 * Refuses a table that belongs to another dataset, project or environment. Ownership lapses where the table is gone and its owner too, or
 * has another one: then nobody can miss it.
 *
 * @param exists - whether anything has the table's name
 * @returns the owner whose right has lapsed
 * @throws RequestError table_owned, with what hands it over
 */
export async function requireOwner(
  db: Db,
  project: Project,
  { name, table }: Pick<Dataset, 'name' | 'table'>,
  exists: boolean,
): Promise<Owner | undefined> {
  const owner = await ownerOf(db, table);
  if (!owner) return undefined;
  const here = owner.project === project.name && owner.environment === project.environment;
  if (here && owner.dataset === name) return undefined;
  const local = here ? project.datasets.get(owner.dataset) : undefined;
  const elsewhere = local !== undefined && !isSame(local.table, table);
  const isDeployed = (await deployedNames(db, owner)).has(owner.dataset);
  if (!exists && (elsewhere || (!isDeployed && local === undefined))) return owner;
  const remedy = here
    ? remedyHere(project, { name, table }, owner, elsewhere, isDeployed)
    : remedyElsewhere(project, owner);
  const named = (one: Omit<Owner, 'current'>): string =>
    `dataset ${one.dataset} of project ${one.project}, environment ${one.environment}`;
  const gone = isDeployed || local !== undefined ? '' : ', which is no longer in that project';
  throw new RequestError(
    'table_owned',
    `table ${quoteTable(table)} belongs to ${named(owner)}${gone}: ${named({ project: project.name, environment: project.environment, dataset: name })} cannot write it too`,
    remedy,
  );
}

function remedyHere(
  { environment }: Project,
  { name, table }: Pick<Dataset, 'name' | 'table'>,
  owner: Owner,
  elsewhere: boolean,
  isDeployed: boolean,
): string {
  const typed = (command: string): string => `\`${typedIn(environment, command)}\``;
  if (elsewhere)
    return `it was the table of ${owner.dataset} before: give it up with ${typed(`sluice forget ${owner.dataset} --table ${shellWord(showTable(table))}`)}`;
  const verbs = `hand it over with ${typed(`sluice rename ${owner.dataset} ${name}`)}, or give it up with ${typed(`sluice forget ${owner.dataset}`)}`;
  return isDeployed ? `deploy this folder (start its workers with it), then ${verbs}` : verbs;
}

function remedyElsewhere({ name, environment }: Project, owner: Owner): string {
  const old = owner.project !== name ? `project ${owner.project}` : `environment ${owner.environment}`;
  const option = owner.project !== name ? `--from-project ${owner.project}` : `--from-env ${owner.environment}`;
  return (
    'give one of them another table (`table: schema.name`), or its environment another schema (`environments: { …: { schema } }`); ' +
    `where ${old} is what this one was called before, hand all of it over: \`${typedIn(environment, `sluice rename ${option}`)}\``
  );
}

function shellWord(word: string): string {
  return /^[\w.]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}
