import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { hostname } from 'node:os';
import { fileURLToPath } from 'node:url';
import type { WorkerDeploymentOptions } from '@temporalio/worker';
import { z } from 'zod';
import { RequestError } from '../contracts/errors.js';

const Manifest = z.object({ version: z.string() });

/** The version of the package. */
export function packageVersion(): string {
  return Manifest.parse(createRequire(import.meta.url)('sluice/package.json')).version;
}

/** The workflows that the build bundled ahead; undefined where the code runs from source and was never built. */
export function bundlePath(): string | undefined {
  return ['../../workflow-bundle.js', '../../dist/workflow-bundle.js']
    .map((ahead) => fileURLToPath(new URL(ahead, import.meta.url)))
    .find((path) => existsSync(path));
}

/** `0.1.0+1a2b3c4d`: the version, and what tells two builds of it apart, a digest of the bundled workflows. */
export function codeVersion(): string {
  const path = bundlePath();
  if (path === undefined) return packageVersion();
  return `${packageVersion()}+${createHash('sha256').update(readFileSync(path)).digest('hex').slice(0, 8)}`;
}

/**
 * Worker versioning: a backfill ends on the build that it began on, with its datasets; Temporal gives new ones to the deployment's current version.
 * Activities too: workflow and activity of a backfill come from one build, so that neither meets what the other does not know.
 *
 * @throws {RequestError} `bad_deployment`: a name that Temporal would not take, or that would be cut in its version strings.
 */
export function versioningOf(deployment: string | undefined): { workerDeploymentOptions?: WorkerDeploymentOptions } {
  if (!deployment) return {};
  if (!/^[\w-]{1,100}$/.test(deployment)) {
    throw new RequestError(
      'bad_deployment',
      `${JSON.stringify(deployment.slice(0, 120))} is no name for a deployment`,
      'Write letters, digits, _ and -, at most 100 of them.',
    );
  }
  return {
    workerDeploymentOptions: {
      version: { deploymentName: deployment, buildId: codeVersion() },
      useWorkerVersioning: true,
      defaultVersioningBehavior: 'PINNED',
    },
  };
}

const MARK = ' sluice/';

/** How a worker calls itself at Temporal, which shows it wherever it shows a worker: `4711@host sluice/0.1.0+1a2b3c4d`. */
export function workerIdentity(): string {
  return `${process.pid}@${hostname()}${MARK}${codeVersion()}`;
}

/** The code version in an identity; undefined for a worker that is none of ours. */
export function versionOfIdentity(identity: string): string | undefined {
  const [, version] = identity.split(MARK);
  return version;
}

const ASIDE = ' aside: ';
/** Temporal takes 1,000. */
const IDENTITY_MAX = 500;

/** What a worker that stands aside calls itself where it says so: its name, and why. */
export function asideIdentity(why: string): string {
  return `${workerIdentity()}${ASIDE}${why}`.slice(0, IDENTITY_MAX);
}

/** Who calls itself so, and why it stands aside. */
export function readAside(identity: string): { readonly identity: string; readonly why: string } {
  const at = identity.indexOf(ASIDE);
  return at < 0 ? { identity, why: '' } : { identity: identity.slice(0, at), why: identity.slice(at + ASIDE.length) };
}
