import type { MirrorRecipe } from '../../artifacts/mirror-recipe.ts';
import { COREDNS } from './artifacts.ts';

export default [
  {
    kind: 'go-image',
    image: COREDNS,
    // The user of the official image: nonroot of distroless.
    user: '65532:65532',
    seconds: 120,
    build: (version) => ({
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
    }),
  },
] satisfies MirrorRecipe[];
