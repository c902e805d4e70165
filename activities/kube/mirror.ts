import type { GoRecipe, MirrorRecipe } from '../artifacts/mirror-recipe.ts';
import { CNI_PLUGIN_NAMES, CNI_PLUGINS, KUBERNETES, KUBERNETES_BINARIES } from './artifacts.ts';

/** Kubernetes' own binaries, whose module versions other projects are built with. */
export function kubernetesRecipe(version: string): GoRecipe {
  const [major, minor, patch] = version.split('.');
  // Both packages are stamped by Kubernetes' own build: the first for `--version`, the second for user agents.
  const ldflags = ['k8s.io/component-base/version', 'k8s.io/client-go/pkg/version'].flatMap((pkg) => [
    `-X ${pkg}.gitVersion=v${version}`,
    `-X ${pkg}.gitMajor=${major}`,
    `-X ${pkg}.gitMinor=${minor}`,
    `-X ${pkg}.gitTreeState=clean`,
  ]);
  return {
    module: 'k8s.io/kubernetes',
    version: `v${version}`,
    staging: { version: `v0.${minor}.${patch}` },
    builds: KUBERNETES_BINARIES.map((name) => ({ pkg: `k8s.io/kubernetes/cmd/${name}`, output: name })),
    ldflags,
  };
}

function cniPluginsRecipe(version: string): GoRecipe {
  const module = 'github.com/containernetworking/plugins';
  const folders: Record<string, string> = {
    dhcp: 'ipam',
    'host-local': 'ipam',
    static: 'ipam',
    bandwidth: 'meta',
    firewall: 'meta',
    portmap: 'meta',
    sbr: 'meta',
    tuning: 'meta',
    vrf: 'meta',
  };
  return {
    module,
    version: `v${version}`,
    builds: CNI_PLUGIN_NAMES.map((name) => ({
      pkg: `${module}/plugins/${folders[name] ?? 'main'}/${name}`,
      output: name,
    })),
    ldflags: [`-X ${module}/pkg/utils/buildversion.BuildVersion=v${version}`],
  };
}

export default [
  {
    kind: 'go',
    unit: 'kubernetes',
    artifacts: KUBERNETES_BINARIES.map((name) => KUBERNETES[name]),
    seconds: 300,
    build: kubernetesRecipe,
  },
  { kind: 'go', artifacts: [CNI_PLUGINS], seconds: 10, build: cniPluginsRecipe },
] satisfies MirrorRecipe[];
