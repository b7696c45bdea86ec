import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/**
 * The folder of this example, with its `sluice.yaml`, `datasets` and `data`. The build compiles only the code, so the
 * compiled copy (`dist/examples/flights`) finds what is no code in the repository beside `dist`.
 */
export function exampleDir(): string {
  const here = fileURLToPath(new URL('.', import.meta.url));
  if (existsSync(`${here}sluice.yaml`)) return here;
  const source = fileURLToPath(new URL('../../../examples/flights/', import.meta.url));
  if (existsSync(`${source}sluice.yaml`)) return source;
  throw new Error(`examples/flights is not complete: no sluice.yaml in ${here} or ${source}`);
}
