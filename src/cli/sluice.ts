#!/usr/bin/env node
import { existsSync } from 'node:fs';

/**
 * The command as it is installed. Verbs that end soon run from a bundle that the build made of this command and all that it loads: 700 modules
 * one by one take 0.2 s of a command of 0.7 s. Those that serve load the modules themselves, as does a checkout without the bundle.
 */
const serves = process.argv.includes('dev') || process.argv.includes('worker');

if (serves || !existsSync(new URL('../../bundle/cli/main.js', import.meta.url))) await import('./main.js');
// @ts-expect-error -- the build makes it, of JavaScript
else await import('../../bundle/cli/main.js');
