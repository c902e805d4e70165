import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { GoRecipe } from '../../../activities/artifacts/mirror-recipe.ts';
import { kubernetesRecipe } from '../../../activities/kube/mirror.ts';
import { buildModule } from './build.ts';
import { type ModuleVersions, moduleVersions, prepareModule } from './module.ts';
import { describeRecipe } from './recipe.ts';
import { findGo, type GoToolchain } from './toolchain.ts';

/** What a build gives: each output's path, and what the manifest says about it. */
export interface GoBuilt {
  readonly outputs: ReadonlyMap<string, string>;
  readonly source: string;
  /** The source of the module, read-only. */
  readonly moduleFolder: string;
}

interface Prepared {
  folder: string;
  packages: number;
  moduleFolder: string;
}

/** Builds Go projects of one run: one toolchain, one build cache, and Kubernetes' module versions for those that follow it. */
export class GoWorkshop {
  readonly #options: { cacheDir: string; workDir: string; arch: string; kubernetesVersion: string };
  readonly #prepared = new Map<string, Promise<Prepared>>();
  #toolchain: Promise<GoToolchain> | undefined;
  #kubernetes: Promise<ModuleVersions> | undefined;

  /** `workDir` is the run's own and removed with it. */
  constructor(options: { cacheDir: string; workDir: string; arch: string; kubernetesVersion: string }) {
    this.#options = options;
  }

  /** Builds a recipe. Throws SourceUnavailable without Go, LAB_FAILED with the compiler's last lines. */
  async build(recipe: GoRecipe, onProgress: (message: string) => void): Promise<GoBuilt> {
    const toolchain = await this.#go();
    onProgress(`fetching the modules of ${recipe.module}@${recipe.version}`);
    const { folder, packages, moduleFolder } = await this.#prepare(recipe);
    onProgress(`compiling ${packages} packages`);
    const outputs = await buildModule(recipe, folder, toolchain, onProgress, packages);
    const source = describeRecipe(recipe, toolchain.version, this.#options.kubernetesVersion);
    return { outputs, source, moduleFolder };
  }

  #go(): Promise<GoToolchain> {
    this.#toolchain ??= (async () => {
      const { cacheDir, arch, workDir } = this.#options;
      const tmpDir = join(workDir, 'go-tmp');
      await mkdir(tmpDir, { recursive: true });
      return findGo({ cacheDir, arch, tmpDir });
    })();
    return this.#toolchain;
  }

  /** Prepares each module once: Kubernetes' is also asked for its versions. */
  #prepare(recipe: GoRecipe): Promise<Prepared> {
    const key = `${recipe.module}@${recipe.version}`;
    const known = this.#prepared.get(key);
    if (known) return known;
    const prepared = (async () => {
      const folder = join(this.#options.workDir, `go-${key.replaceAll(/[^A-Za-z0-9.]+/g, '-')}`);
      await mkdir(folder, { recursive: true });
      const like = recipe.likeKubernetes ? await this.#kubernetesVersions() : new Map<string, string>();
      return { folder, ...(await prepareModule(recipe, folder, await this.#go(), like)) };
    })();
    this.#prepared.set(key, prepared);
    return prepared;
  }

  #kubernetesVersions(): Promise<ModuleVersions> {
    this.#kubernetes ??= (async () => {
      const recipe = kubernetesRecipe(this.#options.kubernetesVersion);
      const { folder } = await this.#prepare(recipe);
      return moduleVersions(recipe, folder, await this.#go());
    })();
    return this.#kubernetes;
  }
}
