import assert from 'node:assert/strict';
import { PlanDocument } from '../../src/contracts/plan.js';
import { BackfillStatus } from '../../src/contracts/status.js';
import type { Ran, Stack } from '../support/stack.js';

/** `sluice.yaml` of a project on the stack's own databases. */
export function projectYaml(name: string, settings = 'defaults: { grain: day, start: 2024-01-01 }', head = ''): string {
  return `project: ${name}
${head}
connections:
  ops: { type: postgres, url: "embedded:ops_${name}", budget: { slots: 4 } }
  warehouse: { type: postgres, url: "embedded:wh_${name}", budget: { slots: 4 } }
warehouse: warehouse
schema: analytics
${settings}
`;
}

/** The verbs as the tests of one project type them. */
export interface Typed {
  readonly run: (line: string, env?: NodeJS.ProcessEnv) => Promise<Ran>;
  readonly plan: (line: string, env?: NodeJS.ProcessEnv) => Promise<PlanDocument>;
  /** Carries a request out to its end, which must be `completed`. */
  readonly build: (line: string, env?: NodeJS.ProcessEnv) => Promise<BackfillStatus>;
  /** Asks for what must be refused with exit code 2; answers stderr. */
  readonly refused: (line: string, env?: NodeJS.ProcessEnv) => Promise<string>;
}

export function typed(stack: Stack, project: string): Typed {
  const run: Typed['run'] = async (line, env = {}) => {
    const [verb = '', ...rest] = line.split(' ').filter((word) => word !== '');
    const ran = await stack.sluice([verb, '-p', project, ...rest], { env });
    // The folder is part of every command that is printed, which test/e2e/printed.test.ts types: here it would be in the way.
    const [out, err] = [ran.out, ran.err].map((text) => text.replaceAll(` -p ${project} `, ' '));
    return { ...ran, out: out ?? '', err: err ?? '', json: () => JSON.parse(out ?? '') as unknown };
  };
  const ok = async (line: string, env?: NodeJS.ProcessEnv): Promise<unknown> => {
    const ran = await run(line, env);
    assert.equal(ran.code, 0, `${line}: ${ran.err}${ran.out}`);
    return ran.json();
  };
  return {
    run,
    plan: async (line, env) => PlanDocument.parse(await ok(`plan ${line} --json`, env)),
    build: async (line, env) => {
      const status = BackfillStatus.parse(await ok(`backfill ${line} --wait --json`, env));
      assert.equal(status.state, 'completed');
      return status;
    },
    refused: async (line, env) => {
      const ran = await run(line, env);
      assert.equal(ran.code, 2, `${line}: ${ran.out}${ran.err}`);
      return ran.err;
    },
  };
}

type Planned = PlanDocument['datasets'][number];

export function datasetOf(document: PlanDocument, name: string): Planned {
  const found = document.datasets.find((one) => one.name === name);
  assert.ok(found, `no dataset ${name} in the plan`);
  return found;
}

/** `[build, missing, stale, upToDate]` by dataset. */
export function countsOf({ datasets }: PlanDocument): Record<string, readonly number[]> {
  return Object.fromEntries(
    datasets.map(({ name, build, missing, stale, upToDate }) => [name, [build, missing, stale, upToDate]]),
  );
}

/** `start/end why`, dates only where borders are midnights in UTC. */
export function whysOf(document: PlanDocument, name: string): string[] {
  const short = (text: string): string => text.replace('T00:00:00Z', '');
  return datasetOf(document, name).intervals.map(({ start, end, why }) => `${short(start)}/${short(end)} ${why}`);
}
