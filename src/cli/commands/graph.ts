import { Command } from 'commander';
import { RequestError, SystemError } from '../../contracts/errors.js';
import { select } from '../../core/graph/select.js';
import { namedDataset } from '../../planning/asked.js';
import { howJoined } from '../../planning/coalescing.js';
import { impactOf, mappingText, type Impact } from '../../planning/impact.js';
import { followViews } from '../../planning/reads.js';
import type { Dataset, Project } from '../../project/project.js';
import type { Opened } from '../../worker/open.js';
import { print, type Io } from '../io.js';
import { addCommon, addSelect, type CommonOptions, type SelectOptions } from '../options.js';
import { graphLines, type GraphNode } from '../render/graph.js';
import { wrap } from '../render/text.js';
import { withProject } from '../session.js';
import type { Verb } from '../verb.js';

type Options = CommonOptions & SelectOptions & { readonly impact?: string };

/** `sluice graph`: the datasets and what each reads; with `--impact`, who suffers from one of them. */
export const graph: Verb = {
  make: (io) =>
    addCommon(addSelect(new Command('graph').description('the dependency graph, with grains and mappings')))
      .option('--impact <dataset>', 'what is late or wrong when this dataset is')
      .action(async (selectors: string[], options: Options) => {
        await withProject(io, options, async ({ opened }) => {
          const project = await followed(io, opened);
          const impact = askedImpact(project, selectors, options);
          const names = impact
            ? new Set([impact.dataset, ...impact.late])
            : selected(project, selectors, options.exclude);
          const shown = [...project.datasets.values()].filter(({ name }) => names.has(name));
          const nodes = shown.map(nodeOf);
          print(io, options.json, shown.map(documentOf), () => [
            ...graphLines(nodes, io.screen()),
            ...(impact ? ['', ...impactText(impact).flatMap((text) => wrap(text, io.screen().width))] : []),
          ]);
        });
      }),
};

/** Views outside of the project are followed where the warehouse answers; the graph of the files is there without one. */
async function followed(io: Io, { project, pool }: Opened): Promise<Project> {
  return followViews({ project: project(), pool }).catch((error: unknown) => {
    if (!(error instanceof SystemError)) throw error;
    io.err(`views under reads are not followed: ${error.message}\n`);
    return project();
  });
}

function selected(
  project: Project,
  selectors: readonly string[],
  exclude: readonly string[] = [],
): ReadonlySet<string> {
  const found = select(project.datasets, selectors, exclude);
  if ('selected' in found) return found.selected;
  throw new RequestError(found.problem.code, found.problem.message, found.problem.remedy);
}

function askedImpact(project: Project, selectors: readonly string[], options: Options): Impact | undefined {
  if (options.impact === undefined) return undefined;
  if (selectors.length > 0 || options.exclude !== undefined) {
    throw new RequestError(
      'option_conflict',
      '--impact shows everything that reads one dataset: it takes no selection',
      `leave the selection out: sluice graph --impact ${options.impact}`,
    );
  }
  return impactOf([...project.datasets.values()], namedDataset(project, options.impact).name);
}

function nodeOf({ name, body, axis, needs, owner }: Dataset): GraphNode {
  return {
    name,
    kind: body.kind,
    grain: axis.grain,
    zone: axis.zone,
    needs: needs.map((need) => ({ dataset: need.dataset, mapping: mappingText(need, name) })),
    ...(owner === undefined ? {} : { owner }),
  };
}

/** As `--json` prints it: every mapping in words, `timezone` as in the project's files. */
function documentOf(dataset: Dataset): object {
  const { zone, needs, owner, ...node } = nodeOf(dataset);
  const said = needs.map((need) => ({ ...need, mapping: need.mapping === '' ? 'same interval' : need.mapping }));
  return { ...node, timezone: zone, owner: owner ?? null, needs: said, coalesce: howJoined(dataset) };
}

function impactText({ dataset, late, wrong, owners }: Impact): string[] {
  if (late.length === 0) return [`Nothing reads ${dataset}: only it is late or wrong when it is.`];
  const one = late.length === 1;
  const some =
    wrong.length === late.length
      ? one
        ? 'so is it'
        : 'so are they'
      : `${wrong.length} of them are: ${wrong.join(', ')}`;
  return [
    `While ${dataset} is late, ${one ? '1 dataset that reads it waits' : `${late.length} datasets that read it, directly or not, wait`}: ${late.join(', ')}.`,
    wrong.length === 0
      ? 'Its changes make none of that stale: they are ignored (stale: ignore).'
      : `When it is wrong, ${some}, and stale once it is corrected.`,
    ...(owners.length === 0 ? [] : [`To be told: ${owners.join(', ')}.`]),
  ];
}
