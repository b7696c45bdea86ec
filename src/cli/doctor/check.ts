/** What `sluice doctor` says of one thing. */
export interface Check {
  /** What was looked at: `project`, `connection warehouse`, `queue sluice.flights`, … */
  readonly name: string;
  readonly state: 'ok' | 'warn' | 'fail';
  readonly message: string;
  /** What to type or change; wherever `state` is not `ok`. */
  readonly remedy?: string;
}

export const ok = (name: string, message: string): Check => ({ name, state: 'ok', message });
export const warn = (name: string, message: string, remedy: string): Check => ({
  name,
  state: 'warn',
  message,
  remedy,
});
export const fail = (name: string, message: string, remedy: string): Check => ({
  name,
  state: 'fail',
  message,
  remedy,
});
