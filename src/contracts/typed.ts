/** A command to type, in its environment: said only where that is not `default`. */
export function typedIn(environment: string, command: string): string {
  return environment === 'default' ? command : `${command} -e ${environment}`;
}
