import { DatasetYaml, PartialCallYaml, PartialExtractYaml, TransformYaml } from '../contracts/project.js';
import type { Problem } from '../contracts/errors.js';
import { checkCall, readCall } from './call.js';
import type { Config } from './config.js';
import { draftOf, report } from './draft.js';
import type { DatasetFile, Draft } from './draft.js';
import { readExtract } from './extract.js';
import { headerOf } from './header.js';
import { shape } from './shape.js';
import { checkSettings } from './settings.js';
import { parseStatement } from './sql/statement.js';
import { locator, problemAt } from './text.js';
import { readYaml } from './yaml.js';
import type { YamlSource } from './yaml.js';

/** A generated statement of a megabyte is a mistake, and the parser takes seconds for it. */
const FILE_LENGTH_MAX = 1_000_000;

export interface DatasetRead {
  /** Absent where so little can be read that nothing more can be said. */
  readonly draft?: Draft;
  readonly problems: readonly Problem[];
}

/** Reads one file under `datasets/` and checks all that needs no other dataset. */
export function readDataset(file: DatasetFile, config: Config): DatasetRead {
  if (file.text.length > FILE_LENGTH_MAX) {
    const message = `this file is longer than ${FILE_LENGTH_MAX} characters`;
    return {
      problems: [
        problemAt(file.file, undefined, { code: 'file_too_large', message, remedy: 'split it into several datasets' }),
      ],
    };
  }
  return file.file.endsWith('.sql') ? readTransform(file, config) : readYamlDataset(file, config);
}

function readTransform(file: DatasetFile, config: Config): DatasetRead {
  const header = readHeader(file);
  const locate = locator(file.text);
  const { parsed, mistakes } = parseStatement(file.text, locate, config.flags);
  const problems = [
    ...header.problems,
    ...mistakes.map(({ offset, ...mistake }) => problemAt(file.file, locate(offset), mistake)),
  ];
  const draft = draftOf(
    file,
    { kind: 'transform', own: header.own, source: header.source, parsed, locate, extract: undefined, problems },
    config,
  );
  // Settings that can't be read at all would only be reported as missing.
  if (header.readable) {
    checkSettings(draft, config);
    if (parsed) checkParameters(draft);
  }
  return { draft, problems };
}

interface HeaderRead {
  readonly source: YamlSource | undefined;
  readonly own: DatasetYaml;
  readonly readable: boolean;
  readonly problems: readonly Problem[];
}

function readHeader({ file, text }: DatasetFile): HeaderRead {
  const none = { source: undefined, own: {}, readable: true, problems: [] };
  const header = headerOf(text);
  if (!header) return none;
  if (header === 'endless') return { ...none, readable: false };
  const read = readYaml(file, text, header.yaml, header.base);
  if (!('source' in read)) {
    const remedy =
      'the first block comment holds settings as YAML, from its second line on; write other text as -- comments';
    return { ...none, readable: false, problems: read.problems.map((problem) => ({ ...problem, remedy })) };
  }
  // A comment in prose is no settings.
  if (typeof read.source.value !== 'object' || read.source.value === null) return none;
  const { value, problems } = shape(TransformYaml, TransformYaml, read.source);
  return { source: read.source, own: value ?? {}, readable: true, problems };
}

function checkParameters(draft: Draft): void {
  const { parsed, settings, file, locate, problems } = draft;
  if (!parsed || settings.grain === undefined || settings.grain === 'none' || settings.publish === 'view') return;
  const used = new Set(parsed.statement.params.map(({ name }) => name));
  const missing = (['start', 'end'] as const).filter((name) => !used.has(name)).map((name) => `:${name}`);
  if (missing.length === 0) return;
  problems.push(
    problemAt(file, locate(firstCode(draft)), {
      code: 'missing_parameter',
      message: `a partitioned transform must use ${missing.join(' and ')}`,
      remedy: 'read only the interval that is built: WHERE t >= :start AND t < :end; or set grain: none',
    }),
  );
}

/** Where the SQL begins, after the header. */
function firstCode({ text }: Draft): number {
  const header = headerOf(text);
  const from = header && header !== 'endless' ? text.indexOf('*/', header.base + header.yaml.length) + 2 : 0;
  return from + (/^(?:\s|--[^\n]*(?:\n|$))*/.exec(text.slice(from))?.[0].length ?? 0);
}

function readYamlDataset(file: DatasetFile, config: Config): DatasetRead {
  const read = readYaml(file.file, file.text);
  if (!('source' in read)) return { problems: read.problems };
  const { source } = read;
  const partial = DatasetYaml.extend({ extract: PartialExtractYaml.optional(), call: PartialCallYaml.optional() });
  const { value, problems: shapeProblems } = shape(DatasetYaml, partial, source);
  const problems = [...shapeProblems];
  const at = { file: file.file, source, problems };
  if (!value) return { problems };
  const { extract: written, call: called, ...own } = value;
  const common = { own, source, parsed: undefined, locate: locator(file.text), problems };
  if (called) {
    if (written)
      report(at, ['extract'], {
        code: 'extract_and_call',
        message: 'a dataset is an extract or a call, not both',
        remedy: 'write two files: the call may need the extract',
      });
    const call = readCall(called, at);
    const draft = draftOf(file, { ...common, kind: 'call', extract: undefined, call }, config);
    checkCall(draft);
    checkSettings(draft, config);
    return { draft, problems };
  }
  if (!written) {
    const known =
      typeof source.value === 'object' &&
      source.value !== null &&
      ('extract' in source.value || 'call' in source.value);
    if (!known && shapeProblems.every(({ code }) => code === 'unknown_key')) {
      report(at, [], {
        code: 'missing_key',
        message: 'extract is missing',
        remedy:
          'a .yaml dataset needs extract: { from, table } or call: { activity, taskQueue, timeout }; a transform is a .sql file',
      });
    }
    return { problems };
  }
  const extract = readExtract(written, at, config);
  const draft = draftOf(file, { ...common, kind: 'extract', extract }, config);
  checkSettings(draft, config);
  return { draft, problems };
}
