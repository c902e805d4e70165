import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { DEFAULT_KUBERNETES_VERSION as version } from '../../../activities/kube/artifacts.ts';
import { kubernetesRecipe } from '../../../activities/kube/mirror.ts';
import { GoWorkshop } from '../../../lab/mirror/go/workshop.ts';
import { defaultCacheDir } from '../../../lab/paths.ts';
import { run } from '../../../lab/run.ts';
import { checkoutRoot } from '../paths.ts';
import { KUBEADM_CONFIG, parseDryRun } from './rendering.ts';

/**
 * `npm run kubeadm:reference`: builds kubeadm of the catalogue's Kubernetes from its Go module, has it render a control plane
 * (`init --dry-run`, which changes nothing), and writes what test/golden/kubeadm.test.ts compares with ours.
 */
const work = mkdtempSync(join(tmpdir(), 'kubewright-kubeadm-'));
try {
  const workshop = new GoWorkshop({
    cacheDir: defaultCacheDir(),
    workDir: work,
    arch: process.arch === 'arm64' ? 'arm64' : 'amd64',
    kubernetesVersion: version,
  });
  const recipe = {
    ...kubernetesRecipe(version),
    builds: [{ pkg: 'k8s.io/kubernetes/cmd/kubeadm', output: 'kubeadm' }],
  };
  const { outputs } = await workshop.build(recipe, (message) => process.stderr.write(`${message}\n`));
  const config = join(work, 'config.yaml');
  const folder = join(work, 'dry-run');
  mkdirSync(folder);
  writeFileSync(config, KUBEADM_CONFIG.replace(/kubernetesVersion: .*/, `kubernetesVersion: v${version}`));
  const argv = [outputs.get('kubeadm')!, 'init', '--config', config, '--dry-run', '--ignore-preflight-errors=all'];
  const { stdout } = await run(argv, { env: { ...process.env, KUBEADM_INIT_DRYRUN_DIR: folder } });
  const head = `# Written by \`npm run kubeadm:reference\`: what kubeadm ${version} makes of a control plane. Do not edit.\n`;
  writeFileSync(
    join(checkoutRoot, 'test/golden/kubeadm/reference.yaml'),
    head + stringify(parseDryRun(stdout), { lineWidth: 0 }),
  );
} finally {
  rmSync(work, { recursive: true, force: true });
}
