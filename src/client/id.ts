import { randomUUID } from 'node:crypto';

/** A backfill's id. Sorts by time, reads aloud: `20131103-142501-7f3a`. */
export function newId(at: Date): string {
  const now = at.toISOString().replace(/[-:]/g, '').replace('T', '-').slice(0, 15);
  return `${now}-${randomUUID().slice(0, 4)}`;
}
