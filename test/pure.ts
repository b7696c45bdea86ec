/** The tests that need no server, in one process: started one by one, 60 files took 47 s, 30 of them for starting. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { FOLDERS } from './tiers.js';

for (const folder of FOLDERS) {
  const path = fileURLToPath(new URL(folder, import.meta.url));
  for (const file of readdirSync(path).sort()) {
    if (file.endsWith('.test.ts')) await import(join(path, file));
  }
}
