import { Argument, Command } from 'commander';
import { addCommon, type CommonOptions } from '../options.js';
import { completionScript, SHELLS, type Shell } from '../completion.js';
import type { Verb } from '../verb.js';

/** `sluice completion SHELL`: prints the script by which that shell completes verbs, options and datasets. */
export const completion: Verb = {
  make: (io) =>
    addCommon(
      new Command('completion').description('print a shell’s completion script: eval "$(sluice completion bash)"'),
    )
      .addArgument(new Argument('<shell>').choices(SHELLS))
      .action((shell: Shell, { json }: CommonOptions, command: Command) => {
        const script = completionScript(shell, command.parent?.commands ?? []);
        io.out(json ? `${JSON.stringify({ shell, script })}\n` : script);
      }),
};
