import type { ConnectionYaml } from '../contracts/project.js';
import { didYouMean } from './nearest.js';
import type { Mistake } from './text.js';

/** What can be read of connections that have mistakes, an environment's own over the project's. */
type Connections = Readonly<Record<string, Pick<ConnectionYaml, 'alternates'>>>;

/** What is wrong with the `alternates` of a connection: at most one mistake for each, by its index. */
export function checkAlternates(
  name: string,
  connections: Connections,
  warehouse: string | undefined,
  report: (index: number, mistake: Mistake) => void,
): void {
  const known = Object.keys(connections);
  for (const [index, alternate] of (connections[name]?.alternates ?? []).entries()) {
    const bad = (code: string, message: string, remedy: string): void => {
      report(index, { code, message: `alternates: ${message}`, remedy });
    };
    if (name === warehouse)
      bad('bad_alternate', `${name} is the warehouse, which is written`, 'only a source has alternates');
    else if (!Object.hasOwn(connections, alternate))
      bad(
        'unknown_connection',
        `there is no connection ${alternate}`,
        didYouMean(alternate, known, `connections: ${known.join(', ')}`),
      );
    else if (alternate === name)
      bad('bad_alternate', `${name} is no alternate of itself`, 'name the connection of a replica');
    else if (alternate === warehouse)
      bad('bad_alternate', `${alternate} is the warehouse`, 'name the connection of a replica');
    else if ((connections[alternate]?.alternates ?? []).length > 0)
      bad('bad_alternate', `${alternate} has alternates itself`, `list those here too, and none at ${alternate}`);
  }
}
