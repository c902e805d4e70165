import { CNI_PLUGINS, KUBERNETES_BINARIES } from '../../../activities/artifacts/catalogue.ts';
import type { GoRecipe } from './recipe.ts';

/** All recipes take bare versions such as 1.36.3. */
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

export function etcdRecipe(version: string): GoRecipe {
  const tools = ['etcdctl', 'etcdutl'];
  return {
    module: 'go.etcd.io/etcd/server/v3',
    version: `v${version}`,
    requires: tools.map((tool) => `go.etcd.io/etcd/${tool}/v3 v${version}`),
    builds: [
      { pkg: 'go.etcd.io/etcd/server/v3', output: 'etcd' },
      ...tools.map((tool) => ({ pkg: `go.etcd.io/etcd/${tool}/v3`, output: tool })),
    ],
    likeKubernetes: { except: [/^go\.etcd\.io\//] },
    ldflags: [],
  };
}

export function containerdRecipe(version: string): GoRecipe {
  const module = 'github.com/containerd/containerd/v2';
  return {
    module,
    version: `v${version}`,
    // Snapshotters that need C libraries; overlayfs is the usual one.
    tags: ['no_btrfs', 'no_devmapper', 'no_zfs'],
    // Its own libraries, and those that have what the versions of Kubernetes lack.
    likeKubernetes: {
      except: [/^github\.com\/(containerd|opencontainers|moby|grpc-ecosystem)\//, /^go\.opentelemetry\.io\//],
    },
    builds: ['containerd', 'containerd-shim-runc-v2', 'ctr'].map((name) => ({
      pkg: `${module}/cmd/${name}`,
      output: name,
    })),
    ldflags: [`-X ${module}/version.Version=v${version}`],
  };
}

export function runcRecipe(version: string): GoRecipe {
  return {
    module: 'github.com/opencontainers/runc',
    version: `v${version}`,
    cgo: true,
    // Static like the release: runs on hosts of any distribution.
    tags: ['seccomp', 'netgo', 'osusergo'],
    builds: [{ pkg: 'github.com/opencontainers/runc', output: 'runc' }],
    ldflags: [`-X main.version=${version}`, '-extldflags -static'],
  };
}

export function cniPluginsRecipe(version: string): GoRecipe {
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
    builds: CNI_PLUGINS.map((name) => ({
      pkg: `${module}/plugins/${folders[name] ?? 'main'}/${name}`,
      output: name,
    })),
    ldflags: [`-X ${module}/pkg/utils/buildversion.BuildVersion=v${version}`],
  };
}

export function flannelRecipe(version: string): GoRecipe {
  const module = 'github.com/flannel-io/flannel';
  return {
    module,
    version: `v${version}`,
    // The udp backend is C and only for kernels without vxlan.
    main: { from: 'main.go', drop: /pkg\/backend\/(tencentvpc|alivpc|awsvpc|gce|udp)"/ },
    likeKubernetes: { except: [] },
    builds: [{ pkg: '.', output: 'flanneld' }],
    ldflags: [`-X ${module}/pkg/version.Version=v${version}`],
  };
}

export function registryRecipe(version: string): GoRecipe {
  const module = 'github.com/distribution/distribution/v3';
  return {
    module,
    version: `v${version}`,
    main: { from: 'cmd/registry/main.go', drop: /storage\/driver\/(azure|gcs|s3-aws|middleware\/cloudfront)"/ },
    likeKubernetes: { except: [/^go\.opentelemetry\.io\//] },
    builds: [{ pkg: '.', output: 'registry' }],
    ldflags: [`-X ${module}/version.version=v${version}`, `-X ${module}/version.mainpkg=${module}`],
  };
}

export function corednsRecipe(version: string): GoRecipe {
  return {
    module: 'github.com/coredns/coredns',
    version: `v${version}`,
    main: {
      from: 'core/plugin/zplugin.go',
      // Cloud zones, tracing back ends and signing with cloud keys.
      drop: /plugin\/(route53|azure|clouddns|etcd|nomad|trace|dnstap|geoip|dnssec|sign)"/,
      extra: 'import "github.com/coredns/coredns/coremain"\n\nfunc main() { coremain.Run() }\n',
    },
    likeKubernetes: { except: [] },
    builds: [{ pkg: '.', output: 'coredns' }],
    ldflags: [],
  };
}

export function metricsServerRecipe(version: string): GoRecipe {
  return {
    module: 'sigs.k8s.io/metrics-server',
    version: `v${version}`,
    likeKubernetes: { except: [] },
    builds: [{ pkg: 'sigs.k8s.io/metrics-server/cmd/metrics-server', output: 'metrics-server' }],
    ldflags: [`-X k8s.io/client-go/pkg/version.gitVersion=v${version}`],
  };
}
