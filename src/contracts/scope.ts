/** `<project>`, or `<project>@<environment>` where the environment is not `default`: what queues and ids are divided by, and screens show. */
export function scopeName(project: string, environment: string): string {
  return environment === 'default' ? project : `${project}@${environment}`;
}
