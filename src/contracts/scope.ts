/** `<project>`, or `<project>@<environment>` where the environment is not `default`: what queues and ids are divided by, and screens show. */
export function scopeName(project: string, environment: string): string {
  return environment === 'default' ? project : `${project}@${environment}`;
}

/** Where a worker that stands aside says so, by asking: nothing is ever put there. */
export function asideQueue(project: string, environment: string): string {
  return `sluice-aside.${scopeName(project, environment)}`;
}

/** Where a project's workers take governors from. Not among `sluice.<scope>.<connection>`, whatever projects and connections are called. */
export function governorQueue(project: string, environment: string): string {
  return `sluice-governor.${scopeName(project, environment)}`;
}
