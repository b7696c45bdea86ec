import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { classifyFault, GAVE_WAY, MESSAGE_MAX, type DriverError } from '../../src/core/fault.js';

const kind = (error: DriverError): string => {
  const { code, class: class_ } = classifyFault(error, 'warehouse');
  return `${class_} ${code}`;
};
const words = (error: DriverError): string => classifyFault(error, 'warehouse').message;

describe('classifyFault', () => {
  const bySqlstate: Record<string, string> = {
    '08006': 'transient connection_lost',
    '08001': 'transient connection_refused',
    '57P01': 'transient server_shutdown',
    '57P02': 'transient server_crash',
    '57P03': 'transient server_starting',
    '57014': 'load statement_timeout',
    '40001': 'transient serialization_failure',
    '40P01': 'transient deadlock',
    '55P03': 'load lock_not_available',
    '53100': 'load disk_full',
    '53300': 'load too_many_connections',
    '53999': 'load insufficient_resources',
    '28P01': 'fatal wrong_password',
    '28000': 'fatal login_refused',
    '3D000': 'fatal unknown_database',
    '42501': 'fatal no_permission',
    '42P01': 'fatal missing_table',
    '42703': 'fatal missing_column',
    '42601': 'fatal syntax_error',
    '42883': 'fatal missing_function',
    '42P99': 'fatal invalid_statement',
    '0A000': 'fatal not_supported',
    '22012': 'poison division_by_zero',
    '22P02': 'poison invalid_text_representation',
    '22003': 'poison numeric_value_out_of_range',
    '22999': 'poison data_exception',
    '23505': 'poison duplicate_key',
    '23502': 'poison null_in_required_column',
    '23503': 'poison missing_referenced_row',
    '23514': 'poison check_failed',
    '25006': 'transient read_only',
    '54001': 'poison limit_exceeded',
    XX000: 'transient internal_error',
    XX001: 'poison data_corrupted',
    P0001: 'poison raised_exception',
    '99999': 'poison unclassified',
    '': 'poison unclassified',
    constructor: 'poison unclassified',
  };
  for (const [sqlstate, expected] of Object.entries(bySqlstate)) {
    it(`${sqlstate || 'no code'} is ${expected}`, () => assert.equal(kind({ sqlstate, message: 'x' }), expected));
  }

  const byErrno: Record<string, string> = {
    ECONNREFUSED: 'transient connection_refused',
    ECONNRESET: 'transient connection_lost',
    EPIPE: 'transient connection_lost',
    ETIMEDOUT: 'transient connection_timeout',
    EHOSTUNREACH: 'transient host_unreachable',
    ENOTFOUND: 'transient host_not_found',
    ENOSPC: 'load worker_disk_full',
    EMFILE: 'load worker_files_exhausted',
    CERT_HAS_EXPIRED: 'fatal certificate_refused',
    ESOMETHING: 'poison unclassified',
    toString: 'poison unclassified',
  };
  for (const [errno, expected] of Object.entries(byErrno))
    it(`${errno} is ${expected}`, () => assert.equal(kind({ errno }), expected));

  const byWords: Record<string, string> = {
    'Connection terminated unexpectedly': 'transient connection_lost',
    'Connection terminated': 'transient connection_lost',
    'Connection terminated due to connection timeout': 'transient connection_timeout',
    // With the statement before it, as knex throws it.
    'ROLLBACK - Client has encountered a connection error and is not queryable': 'transient connection_lost',
    'insert into "sluice"."plans" ("a") values (?) - Connection terminated unexpectedly': 'transient connection_lost',
    'timeout expired': 'transient connection_timeout',
    'timeout exceeded when trying to connect': 'transient connection_timeout',
    'Knex: Timeout acquiring a connection. The pool is probably full. Are you missing a .transacting(trx) call?':
      'transient connection_timeout',
    'connect ECONNREFUSED 127.0.0.1:1': 'transient connection_refused',
    'getaddrinfo ENOTFOUND nowhere': 'transient host_not_found',
    'read ECONNRESET': 'transient connection_lost',
    'Query read timeout': 'load statement_timeout',
    'SASL: SCRAM-SERVER-FIRST-MESSAGE: client password must be a string': 'fatal wrong_password',
    'The server does not support SSL connections': 'fatal certificate_refused',
    'we could not connect ECONNREFUSED as a value': 'poison unclassified',
    boom: 'poison unclassified',
  };
  for (const [message, expected] of Object.entries(byWords))
    it(`"${message}" is ${expected}`, () => assert.equal(kind({ message }), expected));

  it('takes the SQLSTATE before a socket error', () =>
    assert.equal(kind({ sqlstate: '40P01', errno: 'EPIPE' }), 'transient deadlock'));

  it('retries a statement whose plan a changed table made useless', () => {
    assert.equal(
      kind({ sqlstate: '0A000', message: 'cached plan must not change result type' }),
      'transient plan_outdated',
    );
  });
});

describe('the message of a fault', () => {
  it('says where, what and on which object', () => {
    const error = {
      sqlstate: '23505',
      schema: 'analytics',
      table: 'flights',
      constraint: 'flights_key',
      message: 'Key (id)=(7) already exists.',
    };
    assert.equal(
      words(error),
      'warehouse: duplicate key (SQLSTATE 23505, table analytics.flights, constraint flights_key)',
    );
    assert.equal(classifyFault({ sqlstate: '22012' }, 'source').message, 'source: division by zero (SQLSTATE 22012)');
    assert.equal(
      words({ sqlstate: '42P01', message: 'relation "ops.flight" does not exist', position: '15' }),
      'warehouse: missing table (SQLSTATE 42P01, at character 15): relation "ops.flight" does not exist',
    );
  });

  it('names the type of a bad text, not the text', () => {
    assert.equal(
      words({ sqlstate: '22P02', message: 'invalid input syntax for type double precision: "12 Main: Street"' }),
      'warehouse: invalid text representation (SQLSTATE 22P02): invalid input syntax for type double precision',
    );
    assert.ok(!words({ sqlstate: '22P02', message: 'invalid input value for enum mood: "SECRET"' }).includes('SECRET'));
  });

  it('holds no value of data, whatever PostgreSQL says', () => {
    const value = fc.string({ minLength: 1, maxLength: 30 }).map((text) => `\u00a7${text}`);
    const sqlstate = fc.constantFrom(
      '22000',
      '22001',
      '22003',
      '22007',
      '22008',
      '22P02',
      '22P05',
      '23502',
      '23503',
      '23505',
      '23514',
      '21000',
      'P0001',
      'XX000',
      '99999',
      undefined,
    );
    const phrase = fc.constantFrom(
      'Key (id)=(',
      'invalid input syntax for type integer: "',
      'value too long for ',
      'connect ',
      '',
    );
    fc.assert(
      fc.property(sqlstate, phrase, value, (state, start, secret) => {
        const message = words({ sqlstate: state, message: start + secret });
        assert.ok(!message.includes('\u00a7'), message);
      }),
    );
  });

  it('holds no password', () => {
    const urls = [
      'postgres://me:hunter2@db/x',
      'postgresql://me:hunt@er2/hunter2@db:5432/x?y',
      'password=hunter2 host=db',
      "password = 'a hunter2'",
    ];
    for (const url of urls) {
      const message = words({ sqlstate: '08001', message: `no connection to ${url} now` });
      assert.ok(!message.includes('hunter2') && message.includes('now'), message);
    }
  });

  it('a database that takes no connections is no fault of the batch', () => {
    const message = 'database "w" is not currently accepting connections';
    const fault = classifyFault({ sqlstate: '55000', severity: 'FATAL', message }, 'warehouse');
    assert.deepEqual([fault.code, fault.class], ['connection_refused', 'transient']);
    assert.equal(classifyFault({ sqlstate: '55000', severity: 'ERROR', message }, 'warehouse').class, 'poison');
  });

  it('repeats nothing of a login’s options, and keeps the words of a statement', () => {
    const refused = { sqlstate: '42601', message: '-c hunter2 requires a value' };
    assert.ok(!words({ ...refused, severity: 'FATAL' }).includes('hunter2'));
    assert.ok(words({ ...refused, severity: 'ERROR' }).includes('requires a value'));
    const denied = 'permission denied for database "x"';
    assert.ok(words({ sqlstate: '42501', severity: 'FATAL', message: denied }).includes(denied));
  });

  it('is cut, and never in the middle of a URL that was not yet cleaned', () => {
    const long = `${'x'.repeat(470)} postgres://me:hunter2@db/${'y'.repeat(100)}`;
    const message = words({ sqlstate: '08001', message: long });
    assert.equal(message.length, MESSAGE_MAX);
    assert.ok(!message.includes('hunter2'));
  });
});

it('a statement that somebody cancelled is told apart from one that took too long', () => {
  const cancelled = { sqlstate: '57014', message: 'canceling statement due to user request' };
  assert.equal(classifyFault(cancelled, 'warehouse').code, GAVE_WAY);
  const late = { sqlstate: '57014', message: 'canceling statement due to statement timeout' };
  assert.equal(classifyFault(late, 'warehouse').code, 'statement_timeout');
});
