import type { Artifact } from './artifact.ts';
import type { Image } from './image.ts';

/** How one project is built from its Go module. */
export interface GoRecipe {
  readonly module: string;
  /** With the leading v, as modules are versioned. */
  readonly version: string;
  /** Main packages and the file each becomes. `.` is the main package written by `main`. */
  readonly builds: readonly { readonly pkg: string; readonly output: string }[];
  /** Packages whose tests become a program each (`go test -c`). */
  readonly tests?: readonly { readonly pkg: string; readonly output: string }[];
  readonly ldflags: readonly string[];
  readonly tags?: readonly string[];
  /** Needs a C compiler and libraries; everything else is pure Go. */
  readonly cgo?: boolean;
  /** Requirements beyond the module itself. */
  readonly requires?: readonly string[];
  /** The project is developed with its libraries in one tree: `k8s.io/api` and its like follow its own version. */
  readonly staging?: { readonly version: string };
  /** The project has no go.mod of its own: it takes the versions of its vendor/modules.txt. */
  readonly vendored?: boolean;
  /**
   * Take the module versions that Kubernetes itself is built with wherever both use a module, so that the compiled
   * packages are shared through the build cache: it saves minutes. Patterns name modules that must stay apart.
   */
  readonly likeKubernetes?: { readonly except: readonly RegExp[] };
  /**
   * A main package of our own, taken from the project's source with the imports that match `drop` left out:
   * cloud drivers with SDKs that take minutes to compile and that a lab never calls.
   */
  readonly main?: { readonly from: string; readonly drop: RegExp; readonly extra?: string };
  /** What the project's own go.mod replaces by other versions is replaced here too; what it replaces by folders of its tree is not. */
  readonly ownReplaces?: true;
  /** Further replacements, as go.mod has them: `module => module v1.2.3`. */
  readonly replaces?: readonly string[];
  /** Changes of the project's source, made in a copy: `from` is there, and `to` stands in its place. */
  readonly edits?: readonly { readonly file: string; readonly from: string; readonly to: string }[];
}

/** A project built from Go. `seconds`: about, on two cores with an empty cache; the longest builds start first. */
export interface GoProject {
  readonly seconds: number;
  /** For a bare version such as 1.36.3. */
  readonly build: (version: string) => GoRecipe;
}

/** `user:group` and command of an image, as in its OCI configuration. */
export interface ImageProcess {
  readonly entrypoint: readonly string[];
  readonly cmd?: readonly string[];
  readonly user?: string;
}

/** An artifact of a set: an output of the build of its member's name, or a file of the project's source. */
export interface SetArtifact {
  readonly artifact: Artifact;
  readonly from?: string;
}

/** An image of a set: a root with programs of the build and files of the project's source. */
export interface SetImage extends ImageProcess {
  readonly image: Image;
  /** Debian packages of its root, beside the essential ones; absent: a root with users and certificates only. */
  readonly packages?: readonly string[];
  /** Outputs of the build, by their places in the image. */
  readonly programs: Readonly<Record<string, string>>;
  /** Files and folders of the source. `executable`: names of files that are programs. */
  readonly files?: readonly { readonly from: string; readonly to: string; readonly executable?: RegExp }[];
  /** What of the packages is not in it: a file of the source takes its place, say. */
  readonly without?: readonly string[];
  /** Folders that its user writes to. */
  readonly writable?: readonly string[];
  readonly workingDir?: string;
  readonly env?: readonly string[];
}

/**
 * How a mirror gets what it cannot download: data of the phases (`mirror.ts` in their folders), carried out by the lab.
 * An artifact without a recipe is only downloaded, an image without one only pulled.
 */
export type MirrorRecipe =
  /** Artifacts of one project. `unit`: name of several that are built together. */
  | (GoProject & { readonly kind: 'go'; readonly artifacts: readonly Artifact[]; readonly unit?: string })
  /** Artifacts and images of one project, from one build. `unit`: its name. */
  | (GoProject & {
      readonly kind: 'go-set';
      readonly unit: string;
      readonly artifacts: readonly SetArtifact[];
      readonly images: readonly SetImage[];
    })
  /** An image with nothing but the program, under the image's name, and certificates. */
  | (GoProject & { readonly kind: 'go-image'; readonly image: Image; readonly user: string })
  /** An image with the programs of an artifact, in /usr/local/bin. Who runs it names the program. */
  | { readonly kind: 'artifact-image'; readonly image: Image; readonly artifact: Artifact }
  /**
   * An image with one static program of a Debian package. `program`: its name in a folder `bin`; `at`: its place in the
   * image; `applets`: with a link beside it for every name that its `--list` prints.
   */
  | (ImageProcess & {
      readonly kind: 'debian-image';
      readonly image: Image;
      readonly package: string;
      readonly program: string;
      readonly at: string;
      readonly applets?: true;
    })
  /** An image with Debian's Python and a module of PyPI, which is started by `python3 -m`. */
  | {
      readonly kind: 'python-image';
      readonly image: Image;
      /** As pip takes them. */
      readonly requirements: (version: string) => readonly string[];
      readonly module: string;
      readonly user: string;
    };
