import type { Mistake } from './text.js';

/** A value that is no table's name. */
export function badTable(key: string, written: string): Mistake {
  const remedy = 'write schema.table as in SQL, quotes included: \'"Odd Name".x\'; 63 bytes a name at most';
  return { code: 'bad_table_name', message: `${key}: ${JSON.stringify(written)} is not the name of a table`, remedy };
}

/** A text that is no time. */
export function badTime(written: string): Mistake {
  return {
    code: 'bad_time',
    message: `start: not a time: ${written}`,
    remedy: 'write 2013-01-01 or 2013-01-01T06:00:00Z',
  };
}
