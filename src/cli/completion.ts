import type { Command } from 'commander';

export const SHELLS = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof SHELLS)[number];

/** What a completion needs to know of a verb. */
interface VerbWords {
  readonly name: string;
  readonly description: string;
  readonly takesDatasets: boolean;
  readonly options: readonly {
    readonly flags: readonly string[];
    readonly value: boolean;
    readonly description: string;
  }[];
}

/** Options whose value is a folder, and those whose value is a dataset. */
const FOLDERS = ['-p', '--project', '--data-dir'];
const DATASETS = ['--exclude', '--impact'];

/** A dataset's name is its file's name, so the shell lists them itself: asking us would take half a second at each Tab. */
const LIST = String.raw`\( -name '*.sql' -o -name '*.yaml' -o -name '*.yml' \) 2>/dev/null | sed 's#.*/##; s#\.[a-z]*$##'`;

/** The script that completes these verbs, their options and the names of datasets: made of the commands themselves, so never behind them. */
export function completionScript(shell: Shell, commands: readonly Command[]): string {
  const verbs = commands.map(wordsOf);
  if (shell === 'fish') return fish(verbs);
  return shell === 'bash'
    ? bash(verbs)
    : `autoload -Uz compinit bashcompinit && compinit && bashcompinit\n${bash(verbs)}`;
}

function wordsOf(command: Command): VerbWords {
  return {
    name: command.name(),
    description: command.description(),
    takesDatasets: command.registeredArguments.some((one) => ['select', 'dataset'].includes(one.name())),
    options: command.options.map(({ short, long, required, optional, description }) => ({
      flags: [short, long].filter((flag) => flag !== undefined),
      value: required || optional,
      description,
    })),
  };
}

function bash(verbs: readonly VerbWords[]): string {
  const valued = [
    ...new Set(verbs.flatMap(({ options }) => options.filter(({ value }) => value).flatMap(({ flags }) => flags))),
  ];
  const plain = valued.filter((flag) => !FOLDERS.includes(flag) && !DATASETS.includes(flag));
  const names = verbs.map(({ name }) => name);
  const withDatasets = verbs.filter(({ takesDatasets }) => takesDatasets).map(({ name }) => name);
  const optionsOf = verbs.map(
    ({ name, options }) =>
      `      ${name}) words='${options.map(({ flags }) => flags.at(-1) ?? '').join(' ')} --help' ;;`,
  );
  return `_sluice() {
  local cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD-1]} verb='' dir=. plus='' words='' i
  for ((i = 1; i < COMP_CWORD; i++)); do
    case \${COMP_WORDS[i]} in
      -p|--project) dir=\${COMP_WORDS[i+1]}; i=$((i + 1)) ;;
      ${valued.filter((flag) => !['-p', '--project'].includes(flag)).join('|')}) i=$((i + 1)) ;;
      -*) ;;
      *) if [[ -z $verb ]]; then verb=\${COMP_WORDS[i]}; fi ;;
    esac
  done
  COMPREPLY=()
  case $prev in
    ${FOLDERS.join('|')}) COMPREPLY=($(compgen -d -- "$cur")); return ;;
    ${plain.join('|')}) return ;;
  esac
  if [[ -z $verb ]]; then
    words='${names.join(' ')} --help --version'
  elif [[ $cur == -* ]]; then
    case $verb in
${optionsOf.join('\n')}
    esac
  else
    case $prev:$verb in
      ${[...DATASETS.map((flag) => `${flag}:*`), ...withDatasets.map((name) => `*:${name}`)].join('|')})
        plus=\${cur%%[!+]*}
        words=$(find "$dir/datasets" -type f ${LIST}) ;;
    esac
  fi
  COMPREPLY=($(compgen -P "$plus" -W "$words" -- "\${cur#"$plus"}"))
}
complete -F _sluice sluice
`;
}

function fish(verbs: readonly VerbWords[]): string {
  const quoted = (text: string): string => `'${text.replace(/[\\']/g, '\\$&')}'`;
  const within = (name: string): string => `complete -c sluice -n '__fish_seen_subcommand_from ${name}'`;
  const lines = verbs.flatMap(({ name, description, takesDatasets, options }) => [
    `complete -c sluice -n __fish_use_subcommand -a ${name} -d ${quoted(description)}`,
    ...(takesDatasets ? [`${within(name)} -a '(__sluice_datasets)'`] : []),
    ...options.map(({ flags, value, description: said }) => {
      const named = flags.map((flag) => (flag.startsWith('--') ? `-l ${flag.slice(2)}` : `-s ${flag.slice(1)}`));
      const given = flags.some((flag) => FOLDERS.includes(flag))
        ? ` -xa '(__fish_complete_directories)'`
        : flags.some((flag) => DATASETS.includes(flag))
          ? ` -xa '(__sluice_datasets)'`
          : value
            ? ' -x'
            : '';
      return `${within(name)} ${named.join(' ')}${given} -d ${quoted(said)}`;
    }),
  ]);
  return `function __sluice_datasets
  set -l words (commandline -opc)
  set -l at (contains -i -- -p $words; or contains -i -- --project $words)
  set -l dir .
  test -n "$at"; and set dir $words[(math $at + 1)]
  find "$dir/datasets" -type f ${LIST}
end
complete -c sluice -f
${lines.join('\n')}
`;
}
