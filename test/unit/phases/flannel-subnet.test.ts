import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { CNI_CONF_DIR } from '../../../activities/kube/paths.ts';
import { CNI_CONFLIST, cniConfigScript, FLANNEL_SUBNET_ENV } from '../../../activities/phases/flannel/config.ts';

test.each([
  [24, '10.244.1.1/24', '10.244.1.0/24'],
  [25, '100.0.0.129/25', '100.0.0.128/25'],
  [26, '10.244.3.65/26', '10.244.3.64/26'],
  [22, '10.244.4.1/22', '10.244.4.0/22'],
  [20, '10.244.16.1/20', '10.244.16.0/20'],
])('a node with a /%d and the gateway %s gives its pods addresses of %s', (bits, gateway, subnet) => {
  const folder = mkdtempSync(join(tmpdir(), 'kw-subnet-'));
  try {
    const env = join(folder, 'subnet.env');
    writeFileSync(env, `FLANNEL_NETWORK=10.0.0.0/8\nFLANNEL_SUBNET=${gateway}\nFLANNEL_MTU=1350\n`);
    const conflist = join(folder, '10-kubewright.conflist');
    const script = cniConfigScript(null, bits)
      .replaceAll(CNI_CONFLIST, conflist)
      .replaceAll(CNI_CONF_DIR, folder)
      .replaceAll(FLANNEL_SUBNET_ENV, env);
    execFileSync('sh', ['-c', script]);
    const { plugins } = JSON.parse(readFileSync(conflist, 'utf8')) as { plugins: { ipam: { ranges: unknown } }[] };
    expect(plugins[0]?.ipam.ranges).toEqual([[{ subnet }]]);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
