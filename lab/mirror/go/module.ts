import { cp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { GoRecipe } from '../../../activities/artifacts/mirror-recipe.ts';
import { KubewrightError } from '../../../contracts/errors.ts';
import { run } from '../../run.ts';
import { type GoToolchain, go } from './toolchain.ts';

/** Module path to version. */
export type ModuleVersions = ReadonlyMap<string, string>;

interface Downloaded {
  Dir: string;
  GoMod: string;
}

/**
 * Writes a module that requires the recipe's project into `folder` and downloads all that its packages need
 * (checked against Go's checksum database by go itself). Returns how many packages the build will compile at most, and
 * the folder of the module's source.
 */
export async function prepareModule(
  recipe: GoRecipe,
  folder: string,
  toolchain: GoToolchain,
  likeKubernetes: ModuleVersions,
): Promise<{ packages: number; moduleFolder: string }> {
  const { Dir, GoMod } = await downloadModule(recipe, folder, toolchain);
  const lines = ['module kubewright.lab/build', 'go 1.26.0', `require ${recipe.module} ${recipe.version}`];
  for (const requirement of recipe.requires ?? []) lines.push(`require ${requirement}`);
  if (recipe.staging) {
    for (const name of stagingModules(await readFile(GoMod, 'utf8'))) {
      lines.push(`replace ${name} => ${name} ${recipe.staging.version}`);
    }
  }
  if (recipe.vendored) lines.push(...vendoredModules(await readFile(join(Dir, 'vendor', 'modules.txt'), 'utf8')));
  if (recipe.likeKubernetes) {
    const { except } = recipe.likeKubernetes;
    for (const [name, version] of likeKubernetes) {
      if (!except.some((pattern) => pattern.test(name))) lines.push(`replace ${name} => ${name} ${version}`);
    }
  }
  if (recipe.ownReplaces) lines.push(...versionReplaces(await readFile(GoMod, 'utf8')));
  lines.push(...(recipe.replaces ?? []).map((each) => `replace ${each}`));
  const moduleFolder = recipe.edits ? await editedCopy(recipe, Dir, join(folder, 'source')) : Dir;
  if (recipe.edits) lines.push(`replace ${recipe.module} => ./source`);
  await writeFile(join(folder, 'go.mod'), `${lines.join('\n')}\n`);
  if (recipe.main) {
    const { from, drop, extra } = recipe.main;
    const kept = (await readFile(join(Dir, from), 'utf8')).split('\n').filter((line) => !drop.test(line));
    await writeFile(join(folder, 'main.go'), kept.join('\n').replace(/^package \w+$/m, 'package main'));
    if (extra) await writeFile(join(folder, 'extra.go'), `package main\n\n${extra}`);
  }
  const packages = (await listDependencies(recipe, folder, toolchain, '{{.ImportPath}}')).length;
  return { packages, moduleFolder };
}

/** A copy of the module with the recipe's changes. Throws LAB_FAILED for one whose text is not there. */
async function editedCopy({ edits = [] }: GoRecipe, source: string, target: string): Promise<string> {
  await rm(target, { recursive: true, force: true });
  await cp(source, target, { recursive: true });
  // The module cache is read-only, folders included.
  await run(['chmod', '-R', 'u+w', target]);
  for (const { file, from, to } of edits) {
    const path = join(target, file);
    const text = await readFile(path, 'utf8');
    if (!text.includes(from)) {
      throw new KubewrightError('LAB_FAILED', `${file} does not have the text that the recipe changes`, {
        evidence: from,
      });
    }
    await writeFile(path, text.replaceAll(from, to));
  }
  return target;
}

/** The lines `replace` of a go.mod whose replacement is a version. Pure. */
export function versionReplaces(goMod: string): string[] {
  const found = goMod.matchAll(/^[ \t]*(?:replace[ \t]+)?([^\s/.(][^\s]*(?: v\S+)?)[ \t]+=>[ \t]+([^\s./]\S* v\S+)/gm);
  return [...found].map(([, from, to]) => `replace ${from} => ${to}`);
}

/** The versions of all modules that the prepared Kubernetes in `folder` compiles, sorted by path. */
export async function moduleVersions(
  recipe: GoRecipe,
  folder: string,
  toolchain: GoToolchain,
): Promise<ModuleVersions> {
  const template =
    '{{with .Module}}{{if .Version}}{{.Path}} {{with .Replace}}{{.Version}}{{else}}{{.Version}}{{end}}{{end}}{{end}}';
  const lines = await listDependencies(recipe, folder, toolchain, template);
  const pairs = [...new Set(lines)].sort().map((line) => line.split(' ') as [string, string]);
  return new Map(pairs.filter(([name]) => name !== recipe.module));
}

async function listDependencies(
  recipe: GoRecipe,
  folder: string,
  toolchain: GoToolchain,
  template: string,
): Promise<string[]> {
  const args = ['list', '-deps', '-f', template];
  if (recipe.tags?.length) args.push('-tags', recipe.tags.join(','));
  if (recipe.tests?.length) args.push('-test');
  const all = [...recipe.builds, ...(recipe.tests ?? [])];
  const stdout = await go(toolchain, [...args, ...all.map(({ pkg }) => pkg)], {
    cwd: folder,
    ...(recipe.cgo ? { cgo: true } : {}),
  });
  return stdout.split('\n').filter((line) => line !== '');
}

async function downloadModule(recipe: GoRecipe, folder: string, toolchain: GoToolchain): Promise<Downloaded> {
  const stdout = await go(toolchain, ['mod', 'download', '-json', `${recipe.module}@${recipe.version}`], {
    cwd: folder,
  });
  return JSON.parse(stdout) as Downloaded;
}

/** Modules that a go.mod replaces by folders of its own tree (`k8s.io/api => ./staging/src/k8s.io/api`). */
function stagingModules(goMod: string): string[] {
  const found = goMod.matchAll(/^\s*(?:replace\s+)?(\S+)\s+=>\s+\.\/staging\//gm);
  return [...new Set([...found].map((match) => match[1] ?? ''))].sort();
}

/** The lines of a go.mod that say what a vendor/modules.txt says: `# path version` and `# path [version] => path version`. */
function vendoredModules(modulesTxt: string): string[] {
  return modulesTxt.split('\n').flatMap((line) => {
    const [, path, version, , target, targetVersion] = /^# (\S+)(?: (v\S+))?( => (\S+) (v\S+))?$/.exec(line) ?? [];
    if (path === undefined) return [];
    return [
      ...(version === undefined ? [] : [`require ${path} ${version}`]),
      ...(target === undefined ? [] : [`replace ${path} => ${target} ${targetVersion}`]),
    ];
  });
}
