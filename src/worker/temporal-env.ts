import { readFileSync } from 'node:fs';
import { RequestError } from '../contracts/errors.js';

/** How to reach a Temporal frontend: for `Connection.connect` and `NativeConnection.connect`, and the namespace for the client. */
export interface TemporalTarget {
  /** `host:port` */
  readonly address: string;
  readonly namespace: string;
  readonly apiKey?: string;
  readonly tls?: TemporalTls | boolean;
}

export interface TemporalTls {
  serverNameOverride?: string;
  serverRootCACertificate?: Buffer;
  clientCertPair?: { crt: Buffer; key: Buffer };
}

type Env = Readonly<Record<string, string | undefined>>;

const DEFAULT_NAMESPACE = 'default';

/**
 * The Temporal server that the environment names, in the variables that Temporal's own CLI and SDKs read; else the one
 * that `sluice dev` runs; else `undefined`. Files that are named are read here.
 *
 * With `TEMPORAL_API_KEY`, or any TLS setting, TLS is on unless `TEMPORAL_TLS` is false.
 *
 * @throws {RequestError} `temporal_env`: a value that cannot be, a file that cannot be read, a certificate without its key.
 */
export function resolveTemporal(env: Env, dev?: { readonly temporalAddress: string }): TemporalTarget | undefined {
  const address = env['TEMPORAL_ADDRESS'];
  // The variables belong together: a namespace or a key for another server means nothing to dev's.
  if (!address) return dev && { address: dev.temporalAddress, namespace: DEFAULT_NAMESPACE };
  const apiKey = env['TEMPORAL_API_KEY'];
  const tls = tlsOf(env);
  return {
    address,
    namespace: env['TEMPORAL_NAMESPACE'] || DEFAULT_NAMESPACE,
    ...(apiKey && { apiKey }),
    ...(tls !== undefined && { tls }),
  };
}

function tlsOf(env: Env): TemporalTls | boolean | undefined {
  const wanted = flag(env, 'TEMPORAL_TLS');
  if (wanted === false) return false;
  if (flag(env, 'TEMPORAL_TLS_DISABLE_HOST_VERIFICATION') === true) {
    throw wrong('TEMPORAL_TLS_DISABLE_HOST_VERIFICATION is not supported', 'Set TEMPORAL_TLS_SERVER_CA_CERT_PATH.');
  }
  const ca = pem(env, 'TEMPORAL_TLS_SERVER_CA_CERT');
  const crt = pem(env, 'TEMPORAL_TLS_CLIENT_CERT');
  const key = pem(env, 'TEMPORAL_TLS_CLIENT_KEY');
  const name = env['TEMPORAL_TLS_SERVER_NAME'];
  if ((crt === undefined) !== (key === undefined)) {
    const have = crt === undefined ? 'key without its certificate' : 'certificate without its key';
    throw wrong(`A client ${have}`, 'Set both TEMPORAL_TLS_CLIENT_CERT_* and TEMPORAL_TLS_CLIENT_KEY_*.');
  }
  const tls: TemporalTls = {
    ...(name && { serverNameOverride: name }),
    ...(ca && { serverRootCACertificate: ca }),
    ...(crt && key && { clientCertPair: { crt, key } }),
  };
  if (Object.keys(tls).length > 0) return tls;
  return wanted ?? (env['TEMPORAL_API_KEY'] ? true : undefined);
}

/** Of `<name>_PATH` and `<name>_DATA` at most one. */
function pem(env: Env, name: string): Buffer | undefined {
  const [path, data] = [env[`${name}_PATH`], env[`${name}_DATA`]];
  if (path && data) throw wrong(`Both ${name}_PATH and ${name}_DATA are set`, 'Unset one of them.');
  if (data) return Buffer.from(data);
  if (!path) return undefined;
  try {
    return readFileSync(path);
  } catch (error) {
    throw wrong(`${name}_PATH: ${error instanceof Error ? error.message : String(error)}`);
  }
}

function flag(env: Env, name: string): boolean | undefined {
  const value = env[name]?.toLowerCase();
  if (!value) return undefined;
  if (['true', '1', 't'].includes(value)) return true;
  if (['false', '0', 'f'].includes(value)) return false;
  throw wrong(`${name} is neither true nor false: ${value}`);
}

function wrong(message: string, remedy?: string): RequestError {
  return new RequestError('temporal_env', message, remedy);
}
