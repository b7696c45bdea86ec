import pg from 'pg';
import { SystemError, RequestError } from '../contracts/errors.js';
import { classifyFault, MESSAGE_MAX, type Fault } from '../core/fault.js';

/** What a driver error is, by the one error table (`core/fault.ts`). */
export function faultOf(error: unknown, where: 'source' | 'warehouse'): Fault {
  // What is wrong with the project or its secrets is so for every partition, and its words are ours.
  if (error instanceof RequestError)
    return { code: error.code, class: 'fatal', message: `${where}: ${error.message}`.slice(0, MESSAGE_MAX) };
  return classifyFault(errorFacts(error), where);
}

const fromSources = new WeakSet();

/** Marks what fails as the source's: an error itself does not say which of two servers it comes from. */
export async function atSource<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof Error) fromSources.add(error);
    throw error;
  }
}

/** Where an error of a slice comes from. */
export function sideOf(error: unknown): 'source' | 'warehouse' {
  return error instanceof Error && fromSources.has(error) ? 'source' : 'warehouse';
}

/** The fields of a driver error that the table looks at. */
export function errorFacts(error: unknown): Parameters<typeof classifyFault>[0] {
  if (error instanceof pg.DatabaseError) {
    const facts: Record<string, string> = { message: error.message };
    for (const key of ['column', 'table', 'constraint', 'schema', 'dataType', 'position', 'severity'] as const) {
      const value = error[key];
      if (value !== undefined) facts[key] = value;
    }
    return error.code === undefined ? facts : { ...facts, sqlstate: error.code };
  }
  if (error instanceof AggregateError && error.errors.length > 0) return errorFacts(error.errors[0]);
  if (error instanceof Error) {
    const errno = 'code' in error && typeof error.code === 'string' ? error.code : undefined;
    return { message: error.message, ...(errno === undefined ? {} : { errno }) };
  }
  return { message: String(error) };
}

/**
 * Whether the database refused a statement for what it says: unknown names, wrong types, features that it lacks, limits, and what
 * a function raised while it was planned. Not for who asks (42501).
 */
export function isRefusedStatement(sqlstate: string | undefined): boolean {
  return sqlstate !== undefined && sqlstate !== '42501' && /^(42|22|21|0A|3F|54|P0)/.test(sqlstate);
}

/** A driver error met outside a slice (planning, control), as one of ours: unreachable and refused are the system's (exit 1). */
export function systemError(error: unknown, connection: string): SystemError | RequestError {
  if (error instanceof RequestError && OF_A_CONNECTION.has(error.code) && !error.message.startsWith('connection ')) {
    return new RequestError(error.code, `connection ${connection}: ${error.message}`, error.remedy, { cause: error });
  }
  if (error instanceof SystemError || error instanceof RequestError) return error;
  const fault = faultOf(error, 'warehouse');
  const message = fault.message.replace(/^warehouse: /, '');
  return new SystemError(fault.code, `connection ${connection}: ${message}`, REMEDIES[fault.code], { cause: error });
}

/** Refusals of who connects, which does not know the connection's name. */
const OF_A_CONNECTION = new Set(['unsupported_server', 'transaction_pooling']);

const REMEDIES: Readonly<Record<string, string>> = {
  connection_refused: 'is the database running, and does the url in sluice.yaml name the right host and port?',
  wrong_password: 'check the user and the password that the url in sluice.yaml resolves to',
  unknown_database: 'create the database, or correct its name in the url in sluice.yaml',
  read_only:
    'let the url in sluice.yaml name a primary, or set default_transaction_read_only = off for the role or database',
  no_permission: 'GRANT what is missing to the role that sluice connects as',
};
