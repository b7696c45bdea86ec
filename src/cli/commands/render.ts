import { Command } from 'commander';
import { BackfillRequest } from '../../contracts/request.js';
import { askedPartition, namedDataset } from '../../planning/asked.js';
import { renderSql } from '../../planning/render.js';
import { withFlags } from '../../worker/definitions.js';
import { addCommon, addSet, backfillInput, type CommonOptions, type RequestOptions } from '../options.js';
import { renderLines } from '../render/sql.js';
import { timesOf } from '../render/times.js';
import { withProject } from '../session.js';
import type { Verb } from '../verb.js';

/** `sluice render`: the SQL of a partition, for psql. Needs the databases, and no worker. */
export const render: Verb = {
  make: (io) =>
    addCommon(
      addSet(
        new Command('render')
          .description('the SQL that runs for a partition, ready for psql')
          .argument('<dataset>')
          .argument('[time]', 'any time in the partition'),
      ),
    ).action(async (name: string, time: string | undefined, options: CommonOptions & Pick<RequestOptions, 'set'>) => {
      await withProject(io, options, async ({ opened }) => {
        const { set } = BackfillRequest.parse(backfillInput(opened.project().name, [], options));
        const project = await withFlags(opened.project(), set, io.env);
        const dataset = namedDataset(project, name);
        const partition = askedPartition(project, dataset, time, 'render');
        const rendered = await renderSql({ project, db: await opened.db(), pool: opened.pool }, dataset, partition);
        // As it is: a command in a comment or a literal of somebody's SQL is none of ours.
        io.raw(
          options.json
            ? `${JSON.stringify(rendered, null, 2)}\n`
            : `${renderLines(rendered, timesOf(project).of(name)).join('\n')}\n`,
        );
      });
    }),
};
