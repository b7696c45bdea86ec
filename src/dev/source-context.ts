/** What a source may use. */
export interface SourceContext {
  readonly env: NodeJS.ProcessEnv;
  /** The executable's place in sluice's cache. A source that downloads puts it there, atomically. */
  readonly cached: string;
  readonly signal?: AbortSignal | undefined;
  readonly log: (line: string) => void;
}

/** One place where a `temporal` executable may come from. */
export interface TemporalSource {
  /** As the error names it. */
  readonly name: string;
  /** Path of an executable; throws an Error whose message says why there is none. */
  readonly find: (context: SourceContext) => Promise<string>;
}
