/** The words that name an environment on the command line: none for `default`. */
export function environmentWords(environment: string): readonly string[] {
  return environment === 'default' ? [] : ['-e', environment];
}

/** A command to type, in its environment. */
export function typedIn(environment: string, command: string): string {
  return [command, ...environmentWords(environment)].join(' ');
}
