import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import http2 from 'node:http2';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { TLSSocket } from 'node:tls';

/** A certificate and its key, as files. */
export interface Pair {
  readonly crt: string;
  readonly key: string;
}

/** A certificate authority of a test's own. */
export interface Authority {
  /** Its certificate, as a file. */
  readonly ca: string;
  /** Signs one, for `localhost`. */
  readonly sign: (name: string) => Pair;
}

/** Whether there is an `openssl` to make certificates with: Node makes none. */
export function hasOpenssl(): boolean {
  try {
    execFileSync('openssl', ['version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

export function createAuthority(dir: string): Authority {
  const folder = mkdtempSync(join(dir, 'tls-'));
  const at = (name: string): string => join(folder, name);
  const request = (name: string, ...args: string[]): void => {
    const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', at(`${name}.key`)];
    execFileSync('openssl', ['req', ...key, '-subj', `/CN=${name}`, ...args], { stdio: 'pipe' });
  };
  request('ca', '-x509', '-days', '1', '-out', at('ca.crt'));
  writeFileSync(at('names'), 'subjectAltName=DNS:localhost,IP:127.0.0.1');
  return {
    ca: at('ca.crt'),
    sign: (name) => {
      request(name, '-out', at(`${name}.csr`));
      const by = ['-CA', at('ca.crt'), '-CAkey', at('ca.key'), '-CAcreateserial', '-days', '1'];
      const made = ['-in', at(`${name}.csr`), '-out', at(`${name}.crt`), '-extfile', at('names')];
      execFileSync('openssl', ['x509', '-req', ...made, ...by], { stdio: 'pipe' });
      return { crt: at(`${name}.crt`), key: at(`${name}.key`) };
    },
  };
}

/** A TLS endpoint before a gRPC server that has none, which keeps in mind what it was called with. */
export interface TlsProxy {
  /** `localhost:<port>` */
  readonly address: string;
  /** Each call: its method, its `authorization`, and the name in the client's certificate. */
  readonly calls: { method: string; authorization: string | undefined; client: string | undefined }[];
  readonly close: () => Promise<void>;
}

/** @param clientsOf - certificates of clients must be signed by it; without, clients need none */
export async function startTlsProxy(to: string, pair: Pair, clientsOf?: Authority): Promise<TlsProxy> {
  const calls: TlsProxy['calls'] = [];
  const far = http2.connect(`http://${to}`);
  const sessions = new Set<http2.Http2Session>();
  const server = http2.createSecureServer({
    cert: readFileSync(pair.crt),
    key: readFileSync(pair.key),
    ...(clientsOf && { ca: readFileSync(clientsOf.ca), requestCert: true, rejectUnauthorized: true }),
  });
  server.on('session', (session) => sessions.add(session.on('error', () => undefined)));
  server.on('stream', (near, headers) => {
    const socket = near.session?.socket;
    calls.push({
      method: String(headers[':path']).replace(/^.*\//, ''),
      authorization: headers.authorization,
      client: socket instanceof TLSSocket ? nameOf(socket) : undefined,
    });
    passOn(near, far.request(headers));
  });
  server.listen(0);
  await once(server, 'listening');
  return {
    address: `localhost:${(server.address() as AddressInfo).port}`,
    calls,
    close: async () => {
      for (const session of [...sessions, far]) session.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

function nameOf(socket: TLSSocket): string | undefined {
  const { subject } = socket.getPeerCertificate();
  // Without a certificate it is an empty object, whatever its type says.
  const { CN } = { ...subject };
  return CN?.toString();
}

/** One call, with the trailers in which gRPC tells what became of it. */
function passOn(near: http2.ServerHttp2Stream, far: http2.ClientHttp2Stream): void {
  let trailers: http2.IncomingHttpHeaders = {};
  far.on('response', (headers, flags) => {
    const isAll = (flags & http2.constants.NGHTTP2_FLAG_END_STREAM) !== 0;
    if (near.destroyed) return;
    near.respond(headers, isAll ? { endStream: true } : { waitForTrailers: true });
    if (!isAll) far.pipe(near);
  });
  far.on('trailers', (told) => (trailers = told));
  near.on('wantTrailers', () => near.sendTrailers(trailers));
  near.on('error', () => far.close()).on('aborted', () => far.close(http2.constants.NGHTTP2_CANCEL));
  far.on('error', () => near.close());
  near.pipe(far);
}
