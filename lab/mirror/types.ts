import type { Arch } from '../../activities/artifacts/artifact.ts';

/** Where the content of a mirror file came from. */
export type Origin = 'release' | 'debian' | 'go-build' | 'lab';

/** Progress of `ensureMirror`. */
export interface MirrorProgress {
  /** A unit of the mirror such as `kubernetes`, `etcd`, `image/coredns`; `mirror` for the whole. */
  artifact: string;
  /** `have`: it was there; `wait`: another run fills the mirror; `warn`: a source gave something unusable. */
  state: 'have' | 'wait' | 'download' | 'build' | 'warn' | 'done';
  /** Since this unit began. */
  elapsedMs: number;
  /** The source in use: an address or module@version. */
  source?: string;
  /** One line for the operator. */
  message?: string;
}

/** A file that a unit promises, under the mirror's root. */
export interface WantedFile {
  mirrorPath: string;
}

/** One file made by a source, still outside the mirror. */
export interface SuppliedFile {
  mirrorPath: string;
  /** Where it lies now, on the mirror's file system: it is renamed from there. */
  path: string;
  origin: Origin;
  /** Address, module@version or package=version. At most 500 characters. */
  source: string;
}

/** What a source gets for one attempt at one unit. */
export interface SourceContext {
  arch: Arch;
  /** Empty folder of this attempt, removed afterwards. */
  workDir: string;
  /** The mirror's root, for units that are made from other units. */
  root: string;
  report: (state: MirrorProgress['state'], more?: { source?: string; message?: string }) => void;
}

/** One way to get a unit. Throws SourceUnavailable when the next source should be tried. */
export interface Source {
  readonly name: string;
  supply(context: SourceContext): Promise<SuppliedFile[]>;
}

/** Files that are made together, by the first source that answers. */
export interface MirrorUnit {
  readonly name: string;
  readonly files: readonly WantedFile[];
  readonly sources: readonly Source[];
  /** Units that must be there before this one starts. */
  readonly after: readonly string[];
  /** Not counted against the two builds at once: waits on the network. */
  readonly light?: boolean;
  /** A mirror without it is still complete. */
  readonly optional?: boolean;
  /** Only filled when it is asked for: by its own name, or by the name of its phase. Absent: it is part of every mirror. */
  readonly onDemand?: { readonly phase: string | null };
}

/** This source cannot give the unit; not an error of the whole run. */
export class SourceUnavailable extends Error {
  /** True when the operator should see it: something answered, but with the wrong thing. */
  readonly loud: boolean;

  constructor(message: string, options: { loud?: boolean; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'SourceUnavailable';
    this.loud = options.loud ?? false;
  }
}
