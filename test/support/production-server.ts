/** Temporal's server for production, on the persistence of PostgreSQL, without Docker: `npm run test:server` makes it and points here. */
import { execFile } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Connection } from '@temporalio/client';
import { msToTs } from '@temporalio/common/lib/time.js';
import { parse, stringify } from 'yaml';
import { z } from 'zod';
import { ensureDatabase } from '../../src/dev/postgres-server.js';
import { endProcess } from '../../src/dev/processes.js';
import { spawnServer, untilServing, type ServerProcess } from '../../src/dev/server-process.js';

export interface ProductionServer {
  /** `127.0.0.1:<port>`, gRPC; the namespace `default` is there. */
  readonly address: string;
  /** kill -9, and another on the same databases and port; with settings of its dynamic config, `name=number`. */
  readonly restart: (settings: readonly string[]) => Promise<void>;
  readonly stop: () => Promise<void>;
}

const DATABASES = { temporal: 'temporal', visibility: 'temporal_visibility' } as const;
const PLUGIN = 'postgres12_pgx';
const BOUND_MS = 60_000;
/** The dynamic config that docker-compose.yml gives its server. */
const Compose = z.object({ configs: z.object({ temporal: z.object({ content: z.string() }) }) });

/** @param bin - folder with `server` and `sql`, built from Temporal's sources */
export async function startProductionServer(bin: string, dir: string, postgresUrl: string): Promise<ProductionServer> {
  const postgres = new URL(postgresUrl);
  const folder = join(dir, 'temporal-server');
  mkdirSync(folder);
  for (const [schema, database] of Object.entries(DATABASES)) {
    await ensureDatabase(postgresUrl, database);
    const at = ['--ep', postgres.hostname, '-p', postgres.port, '-u', postgres.username, '--db', database];
    const tool = (...args: string[]): Promise<unknown> =>
      promisify(execFile)(join(bin, 'sql'), [...at, '--pl', PLUGIN, ...args], {
        env: { ...process.env, SQL_PASSWORD: decodeURIComponent(postgres.password) },
      });
    await tool('setup-schema', '-v', '0.0');
    await tool('update-schema', '--schema-name', `postgresql/v12/${schema}`);
  }
  const ports = await lowPorts(8);
  const [port = 0] = ports;
  const compose = readFileSync(fileURLToPath(new URL('../../docker-compose.yml', import.meta.url)), 'utf8');
  const composed = Compose.parse(parse(compose)).configs.temporal.content;
  writeFileSync(join(folder, 'dynamic.yaml'), composed);
  writeFileSync(join(folder, 'config.yaml'), stringify(configOf(postgres, ports, join(folder, 'dynamic.yaml'))));
  const start = async (): Promise<ServerProcess> => {
    const process = await spawnServer({
      file: join(bin, 'server'),
      args: ['--config-file', join(folder, 'config.yaml'), '--allow-no-auth', 'start'],
      env: {},
      logFile: join(folder, 'log'),
    });
    await untilServing(() => serves(`127.0.0.1:${port}`), { what: 'Temporal', process, boundMs: BOUND_MS });
    return process;
  };
  let server = await start();
  return {
    address: `127.0.0.1:${port}`,
    restart: async (settings) => {
      await endProcess(server, []);
      const more = settings.map((setting) => setting.replace(/^(.*)=(.*)$/, '$1: [{ value: $2 }]\n'));
      writeFileSync(join(folder, 'dynamic.yaml'), composed + more.join(''));
      server = await start();
    },
    stop: async () => {
      await endProcess(server, []);
    },
  };
}

/** Free ports, below those that the kernel gives out: the server keeps its own in a `smallint`. */
async function lowPorts(count: number): Promise<number[]> {
  const ports = new Set<number>();
  while (ports.size < count) {
    const port = randomInt(10_000, 32_000);
    const probe = createServer().listen(port, '127.0.0.1');
    const free = await once(probe, 'listening').then(
      () => true,
      () => false,
    );
    if (free) ports.add(port);
    probe.close();
  }
  return [...ports];
}

/** As Temporal's own `config/development-postgres12.yaml`, all four services in one process. */
function configOf(postgres: URL, ports: readonly number[], dynamicConfig: string): unknown {
  const store = (databaseName: string): unknown => ({
    sql: {
      pluginName: PLUGIN,
      databaseName,
      connectAddr: postgres.host,
      connectProtocol: 'tcp',
      user: postgres.username,
      password: decodeURIComponent(postgres.password),
      maxConns: 15,
      maxIdleConns: 15,
    },
  });
  const rpc = (nth: number): unknown => ({
    rpc: { grpcPort: ports[nth], membershipPort: ports[nth + 4], bindOnLocalHost: true },
  });
  return {
    log: { stdout: true, level: 'warn' },
    persistence: {
      defaultStore: 'default',
      visibilityStore: 'visibility',
      numHistoryShards: 4,
      datastores: { default: store(DATABASES.temporal), visibility: store(DATABASES.visibility) },
    },
    global: { membership: { maxJoinDuration: '30s', broadcastAddress: '127.0.0.1' } },
    services: { frontend: rpc(0), matching: rpc(1), history: rpc(2), worker: rpc(3) },
    clusterMetadata: {
      failoverVersionIncrement: 10,
      masterClusterName: 'active',
      currentClusterName: 'active',
      clusterInformation: {
        active: {
          enabled: true,
          initialFailoverVersion: 1,
          rpcName: 'frontend',
          rpcAddress: `127.0.0.1:${ports[0]}`,
        },
      },
    },
    dcRedirectionPolicy: { policy: 'noop' },
    dynamicConfigClient: { filepath: dynamicConfig, pollInterval: '10s' },
  };
}

/** Throws while it does not serve the namespace `default`, which a new cluster does not have. */
async function serves(address: string): Promise<void> {
  const connection = await Connection.connect({ address, connectTimeout: '2s' });
  const { workflowService } = connection;
  try {
    const namespace = 'default';
    const { namespaces } = await workflowService.listNamespaces({});
    if (!namespaces.some(({ namespaceInfo }) => namespaceInfo?.name === namespace))
      await workflowService.registerNamespace({ namespace, workflowExecutionRetentionPeriod: msToTs('1 day') });
    // Its services learn of a namespace some seconds later: until then they refuse it.
    await workflowService.countWorkflowExecutions({ namespace });
  } finally {
    await connection.close();
  }
}
