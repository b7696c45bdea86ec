import type { DatasetYaml, DefaultsYaml } from '../contracts/project.js';
import type { Problem } from '../contracts/errors.js';
import type { Axis } from '../core/time/axis.js';
import type { Config } from './config.js';
import type { CallBody, ExtractBody } from './project.js';
import type { Parsed } from './sql/statement.js';
import { problemAt } from './text.js';
import type { Locate, Mistake } from './text.js';
import type { Path, YamlSource } from './yaml.js';

/** One file under `datasets/`. */
export interface DatasetFile {
  readonly name: string;
  readonly file: string;
  readonly text: string;
}

/** A dataset while it is being read. What is wrong in it has been reported and is absent. */
export interface Draft extends DatasetFile {
  readonly kind: 'extract' | 'transform' | 'call';
  /** Its own settings, wrong ones left out. */
  readonly own: DatasetYaml;
  /** Its own settings over the project's defaults. */
  readonly settings: DatasetYaml & DefaultsYaml;
  readonly axis: Axis;
  /** The YAML that the settings stand in; absent for a transform without a header. */
  readonly source: YamlSource | undefined;
  /** A transform's SQL. */
  readonly parsed: Parsed | undefined;
  readonly locate: Locate;
  readonly extract: ExtractBody | undefined;
  readonly call?: CallBody | undefined;
  readonly problems: Problem[];
}

export function draftOf(
  { name, file, text }: DatasetFile,
  parts: Pick<Draft, 'kind' | 'source' | 'parsed' | 'locate' | 'extract' | 'call' | 'problems'> & {
    readonly own: DatasetYaml;
  },
  { defaults, timezone }: Config,
): Draft {
  const settings = { ...defaults, ...parts.own };
  return {
    name,
    file,
    text,
    ...parts,
    settings,
    axis: { grain: settings.grain ?? 'day', zone: settings.timezone ?? timezone },
  };
}

/** Reports a mistake at a setting, or at the top of the file when the setting is not written there. */
export function report(
  { file, source, problems }: Pick<Draft, 'file' | 'source' | 'problems'>,
  path: Path,
  mistake: Mistake,
): void {
  problems.push(problemAt(file, source?.placeOf(path) ?? { line: 1, column: 1 }, mistake));
}
