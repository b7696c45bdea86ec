/** The files that `sluice init` writes: a project that works with nothing but the embedded databases. */

export interface ExampleOptions {
  /** Name of the project. */
  readonly project: string;
  /** First day of data, `2026-01-01`. */
  readonly start: string;
}

/** Contents by path. The made-up orders are the same on every run, so that building them again changes nothing. */
export function exampleFiles({ project, start }: ExampleOptions): Readonly<Record<string, string>> {
  return {
    'sluice.yaml': `project: ${project}
timezone: UTC # zone of partition borders
connections:
  # embedded:NAME is a database of the PostgreSQL that \`sluice dev\` serves; put your own url in its place
  ops: { type: postgres, url: '\${OPS_URL:-embedded:ops}', budget: { slots: 2 } }
  warehouse: { type: postgres, url: '\${WAREHOUSE_URL:-embedded:warehouse}', budget: { slots: 4 } }
warehouse: warehouse # the connection that datasets are written to
schema: analytics # of their tables
defaults: { grain: day, start: ${start} }
`,
    'datasets/ops/orders_raw.yaml': `description: Every order, made up
# For a table of yours write \`table: public.orders\` in place of \`query\`.
extract:
  from: ops
  query: |
    SELECT
      n AS id,
      'customer ' || n % 97 AS customer,
      round((n * 7919 % 10000) / 100.0, 2) AS amount,
      ordered_at
    FROM generate_series(:start, :end - interval '10 minutes', interval '10 minutes') AS ordered_at,
      LATERAL (SELECT (extract(epoch FROM ordered_at) / 600)::bigint AS n) AS numbered
  time: ordered_at # decides an order's partition
key: [id]
`,
    'datasets/sales/sales_day.sql': `/*
description: Orders and revenue, day by day
time: day
key: [day]
*/
SELECT
  date_trunc('day', ordered_at) AS day,
  count(*) AS orders,
  count(DISTINCT customer) AS customers,
  sum(amount) AS revenue
FROM orders_raw
WHERE ordered_at >= :start AND ordered_at < :end
GROUP BY 1
`,
    'datasets/sales/sales_7d.sql': `/*
description: The last seven days, day by day
time: day
key: [day]
needs:
  sales_day: { lookback: 6d } # seven days: its own and the six before
*/
SELECT d AS day, sum(s.orders) AS orders_7d, sum(s.revenue) AS revenue_7d
FROM generate_series(:start, :end - interval '1 day', interval '1 day') AS d
JOIN sales_day AS s ON s.day > d - interval '7 days' AND s.day <= d
WHERE s.day >= :start - interval '6 days' AND s.day < :end
GROUP BY 1
`,
    '.gitignore': '.sluice/\n',
    'README.md': readme(project),
  };
}

function readme(project: string): string {
  return `# ${project}

A project of sluice: three datasets, one after another, over made-up orders.

- \`sluice.yaml\`: databases and defaults
- \`datasets/ops/orders_raw.yaml\`: an extract, from the source \`ops\` into the warehouse
- \`datasets/sales/*.sql\`: transforms, plain SQL over other datasets; each reads the interval \`[:start, :end)\`

## Try it
\`\`\`sh
sluice dev --detach       # serves Temporal, PostgreSQL and a worker
sluice graph              # what reads what
sluice plan               # what would be built, and why
sluice backfill --wait    # builds it
sluice ledger sales_7d    # what is published
sluice dev --stop
\`\`\`

Then change \`sales_day.sql\`, and ask \`sluice plan --rebuild stale\` what that touches.
`;
}
