import { Argument, Command } from 'commander';
import { completionScript, SHELLS, type Shell } from '../completion.js';
import type { Verb } from '../verb.js';

/** `sluice completion SHELL`: prints the script by which that shell completes verbs, options and datasets. */
export const completion: Verb = {
  make: (io) =>
    new Command('completion')
      .description('print a shell’s completion script: eval "$(sluice completion bash)"')
      .addArgument(new Argument('<shell>').choices(SHELLS))
      .action((shell: Shell, _options: object, command: Command) => {
        io.out(completionScript(shell, command.parent?.commands ?? []));
      }),
};
