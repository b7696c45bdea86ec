import { Command } from 'commander';
import { askedInterval, namedDataset } from '../../planning/asked.js';
import { clockOf } from '../../store/clock.js';
import { viewOf } from '../../planning/defer.js';
import { movesOf } from '../../planning/moved.js';
import { ledgerRows, type LedgerRow } from '../../store/ledger.js';
import { print } from '../io.js';
import { addCommon, addRange, rangeInput, type CommonOptions, type RangeOptions } from '../options.js';
import { ledgerLines, type LedgerRow as ShownRow } from '../render/ledger.js';
import { wrap } from '../render/text.js';
import { withProject } from '../session.js';
import type { Verb } from '../verb.js';

/** `sluice ledger`: what is published of a dataset, by which backfill, from which version. */
export const ledger: Verb = {
  make: (io) =>
    addRange(
      addCommon(
        new Command('ledger')
          .description('what is published, by which backfill, from which version')
          .argument('<dataset>'),
      ),
    ).action(async (name: string, options: CommonOptions & RangeOptions) => {
      await withProject(io, options, async ({ opened }) => {
        const project = opened.project();
        const dataset = namedDataset(project, name);
        const db = await opened.db();
        const { start, end } = askedInterval(project, dataset, rangeInput(options), await clockOf(db));
        const scope = { project: project.name, environment: project.environment };
        const view = await viewOf(db, project, new Set([name]));
        const rows = await ledgerRows(db, view.keyOf(name), start, end);
        const document = rows.map(({ inputs: _inputs, ...row }) => ({ ...scope, dataset: dataset.name, ...row }));
        const moves = await movesOf(db, view, new Set([name]));
        print(io, options.json, document, () => [
          ...ledgerLines(dataset.name, rows.map(shown), io.screen()),
          ...moves.flatMap(({ message }) => wrap(`${name} ${message}`, io.screen().width)),
        ]);
      });
    }),
};

function shown(row: LedgerRow): ShownRow {
  return {
    start: row.starts_at,
    end: row.ends_at,
    partitions: 1,
    rows: row.rows,
    backfill: row.read_from === undefined ? row.backfill_id : `${row.backfill_id} from ${row.read_from}`,
    version: row.version,
    publishedAt: row.published_at,
  };
}
