/**
 * The one table of errors: what failed, by SQLSTATE or socket error, and what to do about it. Everything that carries work
 * out asks here and nowhere else.
 *
 * A fault's message goes to workflow histories and logs, where no value of data may appear. PostgreSQL quotes values in
 * its messages of the classes 22, 23 and P0 and in whatever a function raises, so a message is built from the condition's
 * name and the identifiers beside it. Its own words are kept only for the classes of {@link KEEPS_WORDS}, which quote
 * identifiers at most.
 */

/**
 * - `transient`: gone after a pause (network, restart, deadlock). Retry with backoff.
 * - `load`: the database is too busy. Tell the governor, then retry.
 * - `fenced`: another attempt took over. Stop.
 * - `key_moved`: a row's key lies in another partition. Retry after that one.
 * - `poison`: this data or this partition. Bisect down to the partition, which fails alone.
 * - `fatal`: fails for every partition alike (credentials, missing table). Hold the dataset at once.
 */
export type FaultClass = 'transient' | 'load' | 'fenced' | 'key_moved' | 'poison' | 'fatal';

export interface Fault {
  /** Stable, lower_snake_case: `deadlock`, `missing_table`. */
  readonly code: string;
  readonly class: FaultClass;
  /** At most {@link MESSAGE_MAX} characters, no value of data, no password. */
  readonly message: string;
}

/** An error of a driver, as its adapter names the parts. */
export interface DriverError {
  readonly sqlstate?: string | undefined;
  /** Of a socket or file: `ECONNREFUSED`. */
  readonly errno?: string | undefined;
  readonly message?: string | undefined;
  /** `FATAL` where the session ends with it, or never came to be. */
  readonly severity?: string | undefined;
  readonly schema?: string | undefined;
  readonly table?: string | undefined;
  readonly column?: string | undefined;
  readonly constraint?: string | undefined;
  readonly dataType?: string | undefined;
  /** Character in the statement, from 1. */
  readonly position?: string | undefined;
}

/** Hundreds of failures fit into one payload (100 KB). */
export const MESSAGE_MAX = 500;

type Rule = readonly [code: string, class_: FaultClass];

/** A map, because what is looked up comes from outside: an object would find `constructor`. */
function table(rules: Readonly<Record<string, Rule>>): ReadonlyMap<string, Rule> {
  return new Map(Object.entries(rules));
}

/** A statement that was cancelled so that others could work: no fault of the batch. */
export const GAVE_WAY = 'gave_way';

/** By SQLSTATE; where five characters are not listed, by their first two. */
const BY_SQLSTATE = table({
  '08': ['connection_lost', 'transient'],
  '08001': ['connection_refused', 'transient'],
  '08004': ['connection_refused', 'transient'],
  '0A': ['not_supported', 'fatal'],
  '21': ['cardinality_violation', 'poison'],
  '22': ['data_exception', 'poison'],
  '22001': ['string_too_long', 'poison'],
  '22003': ['numeric_value_out_of_range', 'poison'],
  '22004': ['null_value_not_allowed', 'poison'],
  '22007': ['invalid_datetime_format', 'poison'],
  '22008': ['datetime_out_of_range', 'poison'],
  '22012': ['division_by_zero', 'poison'],
  '22021': ['invalid_encoding', 'poison'],
  '22023': ['invalid_parameter_value', 'poison'],
  '22032': ['invalid_json', 'poison'],
  '22P02': ['invalid_text_representation', 'poison'],
  '22P03': ['invalid_binary_representation', 'poison'],
  '22P04': ['bad_copy_format', 'poison'],
  '22P05': ['untranslatable_character', 'poison'],
  '23': ['constraint_violation', 'poison'],
  '23502': ['null_in_required_column', 'poison'],
  '23503': ['missing_referenced_row', 'poison'],
  '23505': ['duplicate_key', 'poison'],
  '23514': ['check_failed', 'poison'],
  '23P01': ['exclusion_violation', 'poison'],
  '25006': ['read_only', 'transient'], // a replica that was the primary until a failover
  '25P03': ['idle_in_transaction_timeout', 'transient'],
  '25P04': ['transaction_timeout', 'load'],
  '26000': ['missing_prepared_statement', 'transient'], // a pooler gave us another backend
  '28': ['login_refused', 'fatal'],
  '28P01': ['wrong_password', 'fatal'],
  '3D': ['unknown_database', 'fatal'],
  '3F': ['missing_schema', 'fatal'],
  '40': ['transaction_rolled_back', 'transient'],
  '40001': ['serialization_failure', 'transient'],
  '40P01': ['deadlock', 'transient'],
  '42': ['invalid_statement', 'fatal'],
  '42501': ['no_permission', 'fatal'],
  '42601': ['syntax_error', 'fatal'],
  '42702': ['ambiguous_column', 'fatal'],
  '42703': ['missing_column', 'fatal'],
  '42704': ['missing_object', 'fatal'],
  '42804': ['wrong_type', 'fatal'],
  '42883': ['missing_function', 'fatal'],
  '42P01': ['missing_table', 'fatal'],
  '44': ['check_failed', 'poison'],
  '53': ['insufficient_resources', 'load'],
  '53100': ['disk_full', 'load'],
  '53200': ['out_of_memory', 'load'],
  '53300': ['too_many_connections', 'load'],
  '54': ['limit_exceeded', 'poison'],
  '55': ['object_not_ready', 'poison'],
  '55006': ['object_in_use', 'load'],
  '55P03': ['lock_not_available', 'load'],
  '57': ['operator_intervention', 'transient'],
  '57014': ['statement_timeout', 'load'],
  '57P01': ['server_shutdown', 'transient'],
  '57P02': ['server_crash', 'transient'],
  '57P03': ['server_starting', 'transient'],
  '57P04': ['unknown_database', 'fatal'], // dropped under us
  '57P05': ['idle_session_timeout', 'transient'],
  '58': ['io_error', 'transient'],
  P0001: ['raised_exception', 'poison'],
  XX: ['internal_error', 'transient'],
  XX001: ['data_corrupted', 'poison'],
  XX002: ['index_corrupted', 'poison'],
});

/** By error of the socket, of DNS, of TLS or of this machine. */
const BY_ERRNO = table({
  ECONNREFUSED: ['connection_refused', 'transient'],
  ECONNRESET: ['connection_lost', 'transient'],
  ECONNABORTED: ['connection_lost', 'transient'],
  EPIPE: ['connection_lost', 'transient'],
  ETIMEDOUT: ['connection_timeout', 'transient'],
  EHOSTUNREACH: ['host_unreachable', 'transient'],
  EHOSTDOWN: ['host_unreachable', 'transient'],
  ENETUNREACH: ['host_unreachable', 'transient'],
  ENOTFOUND: ['host_not_found', 'transient'],
  EAI_AGAIN: ['host_not_found', 'transient'],
  ENOENT: ['connection_refused', 'transient'], // a Unix socket that is not there
  EADDRNOTAVAIL: ['worker_ports_exhausted', 'load'],
  EMFILE: ['worker_files_exhausted', 'load'],
  ENFILE: ['worker_files_exhausted', 'load'],
  ENOSPC: ['worker_disk_full', 'load'],
  CERT_HAS_EXPIRED: ['certificate_refused', 'fatal'],
  CERT_NOT_YET_VALID: ['certificate_refused', 'fatal'], // most often a clock that is behind
  DEPTH_ZERO_SELF_SIGNED_CERT: ['certificate_refused', 'fatal'],
  SELF_SIGNED_CERT_IN_CHAIN: ['certificate_refused', 'fatal'],
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: ['certificate_refused', 'fatal'],
  ERR_TLS_CERT_ALTNAME_INVALID: ['certificate_refused', 'fatal'],
});

/** By the words of the driver itself, which has no codes for these; none of them quotes anything. */
const BY_WORDS: readonly (readonly [RegExp, Rule])[] = [
  [
    /^Connection terminated due to connection timeout|^timeout e(?:xpired|xceeded when trying to connect)|^Knex: Timeout acquiring a connection/,
    ['connection_timeout', 'transient'],
  ],
  [
    /^Connection terminated|^Client has encountered a connection error|^Client was closed/,
    ['connection_lost', 'transient'],
  ],
  [/^Query read timeout/, ['statement_timeout', 'load']],
  [/^SASL: .*password must be a/, ['wrong_password', 'fatal']],
  [/^The server does not support SSL connections/, ['certificate_refused', 'fatal']],
];

/** What says of a database that nobody gets through to it, when it answers a connect. */
const UNANSWERED: ReadonlySet<string> = new Set([
  'connection_refused',
  'connection_lost',
  'connection_timeout',
  'host_unreachable',
  'host_not_found',
  'server_shutdown',
  'server_crash',
  'server_starting',
  'too_many_connections',
]);

/** Whether a connect that failed so says that the database is gone for now, and nothing of who asked. */
export function isUnanswered({ code }: Pick<Fault, 'code'>): boolean {
  return UNANSWERED.has(code);
}

/** What a connect fails by where this worker lacks what others may have: its secrets, its certificates, its sockets. */
const OWN: ReadonlySet<string> = new Set([
  'wrong_password',
  'login_refused',
  'no_permission',
  'unknown_database',
  'certificate_refused',
  'worker_ports_exhausted',
  'worker_files_exhausted',
  'unset_variable',
  'bad_variable',
  'unreadable_file',
  'bad_url',
  'unknown_connection',
]);

/** Whether a connect that failed so may say more of who asked than of the database. */
export function isOwn({ code }: Fault): boolean {
  return OWN.has(code);
}

/** Connections, logins, databases, statements, resources, locks, operators: their messages quote identifiers at most. */
const KEEPS_WORDS: ReadonlySet<string> = new Set(['08', '28', '3D', '42', '53', '55', '57']);

/** What failed and what to do, from what a driver threw at one side of the work. */
export function classifyFault(error: DriverError, where: 'source' | 'warehouse'): Fault {
  const { rule, words } = look(error);
  const [code, class_] = rule;
  const detail = words === undefined ? '' : `: ${withoutSecrets(words)}`;
  const message = `${where}: ${code.replaceAll('_', ' ')}${placeOf(error)}${detail}`;
  return { code, class: class_, message: cut(message) };
}

/** The rule for an error, and those words of it that may be shown. */
function look({ sqlstate, errno, message, severity }: DriverError): { rule: Rule; words?: string | undefined } {
  if (sqlstate !== undefined) {
    // A table was altered since its statement was prepared on this connection; PostgreSQL has no SQLSTATE of its own for it.
    if (sqlstate === '0A000' && message === 'cached plan must not change result type')
      return { rule: ['plan_outdated', 'transient'] };
    // The other 57014: somebody cancelled it, most likely our governor. PostgreSQL tells them apart by words alone.
    if (sqlstate === '57014' && message === 'canceling statement due to user request')
      return { rule: [GAVE_WAY, 'load'], words: message };
    // A database with ALLOW_CONNECTIONS false, as during maintenance: nothing is wrong with the batch.
    if (sqlstate === '55000' && severity === 'FATAL')
      return { rule: ['connection_refused', 'transient'], words: message };
    // A policy would hide rows, and the session says that none may be hidden; PostgreSQL tells it from a missing GRANT by words alone.
    if (sqlstate === '42501' && message?.includes('row-level security policy for table') === true)
      return { rule: ['row_security', 'fatal'], words: message };
    const group = sqlstate.slice(0, 2);
    const rule = BY_SQLSTATE.get(sqlstate) ?? BY_SQLSTATE.get(group);
    // A login that fails by its `options=` repeats what stands there: `-c token requires a value`.
    const quotesUrl = severity === 'FATAL' && group === '42' && sqlstate !== '42501';
    if (rule) return { rule, words: KEEPS_WORDS.has(group) && !quotesUrl ? message : typeWords(message) };
  }
  // knex puts the statement before the driver's words: `ROLLBACK - Connection terminated unexpectedly`.
  const said = (message ?? '').split(' - ').at(-1) ?? '';
  // Where a host has several addresses the error of each is only quoted: `connect ECONNREFUSED 127.0.0.1:5432`.
  const named = errno ?? /^(?:connect|read|write|getaddrinfo) (E[A-Z_]+)\b/.exec(said)?.[1];
  const socket = named === undefined ? undefined : BY_ERRNO.get(named);
  if (socket) return { rule: socket, words: named };
  const driver = BY_WORDS.find(([pattern]) => pattern.test(said));
  return { rule: driver?.[1] ?? ['unclassified', 'poison'] };
}

/** The type out of `invalid input syntax for type integer: "<value>"`: never more, whatever the rest says. */
function typeWords(message = ''): string | undefined {
  return /^invalid input syntax for type [a-z][a-z0-9_ ]{0,62}(?=:)/.exec(message)?.[0];
}

/** ` (SQLSTATE 23505, table analytics.flights, constraint flights_key)`. */
function placeOf({ sqlstate, schema, table, column, constraint, dataType, position }: DriverError): string {
  const parts = [
    ['SQLSTATE', sqlstate],
    ['table', table === undefined || schema === undefined ? table : `${schema}.${table}`],
    ['column', column],
    ['constraint', constraint],
    ['type', dataType],
    ['at character', position],
  ].flatMap(([word, value]) => (value === undefined || value === '' ? [] : [`${word} ${value}`]));
  return parts.length === 0 ? '' : ` (${parts.join(', ')})`;
}

/** Connection URLs without user and password, `password=` without what follows. A password may itself hold `@`. */
function withoutSecrets(text: string): string {
  return text
    .replace(/\b([a-z][a-z0-9+.-]*:\/\/)\S*@/gi, '$1…@')
    .replace(/\b(password\s*=\s*)(?:'[^']*'|"[^"]*"|\S+)/gi, '$1…');
}

function cut(text: string): string {
  return text.length <= MESSAGE_MAX ? text : `${text.slice(0, MESSAGE_MAX - 1)}…`;
}
