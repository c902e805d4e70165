/** How one project is built from its Go module. */
export interface GoRecipe {
  readonly module: string;
  /** With the leading v, as modules are versioned. */
  readonly version: string;
  /** Main packages and the file each becomes. `.` is the main package written by `main`. */
  readonly builds: readonly { readonly pkg: string; readonly output: string }[];
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
}

/** What the manifest says about a file that was built this way. */
export function describeRecipe(recipe: GoRecipe, goVersion: string, likeKubernetes: string): string {
  const parts = [`${recipe.module}@${recipe.version}`, `built with ${goVersion}`];
  if (recipe.tags?.length) parts.push(`tags ${recipe.tags.join(',')}`);
  if (recipe.main) parts.push('without cloud drivers');
  if (recipe.likeKubernetes) parts.push(`module versions as in Kubernetes ${likeKubernetes}`);
  return parts.join(', ');
}
