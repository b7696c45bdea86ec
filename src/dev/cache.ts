import { homedir } from 'node:os';
import { join } from 'node:path';

/** What sluice keeps for all projects: `SLUICE_CACHE_DIR`, else `sluice` in `XDG_CACHE_HOME`, else `~/.cache/sluice`. */
export function cacheDir(env: NodeJS.ProcessEnv): string {
  if (env['SLUICE_CACHE_DIR']) return env['SLUICE_CACHE_DIR'];
  return join(env['XDG_CACHE_HOME'] || join(env['HOME'] || homedir(), '.cache'), 'sluice');
}
