import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import type { Rendering } from '../../cli/dev/kubeadm/rendering.ts';
import { differences } from './kubeadm/compare.ts';
import { ours } from './kubeadm/ours.ts';
import { type Explained, kubeadmPage } from './kubeadm/page.ts';

/**
 * Our clusters beside kubeadm's: flags, configuration files, CoreDNS, node and objects. Every difference has a reason in
 * kubeadm/differences.yaml, and docs/kubeadm.md lists them. `npm run kubeadm:reference` renders kubeadm's side anew.
 */
const file = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const kubeadm = parse(readFileSync(file('kubeadm/reference.yaml'), 'utf8')) as Rendering;
const explained = parse(readFileSync(file('kubeadm/differences.yaml'), 'utf8')) as Explained;
const PAGE = file('../../docs/kubeadm.md');

test('every difference from kubeadm has one reason, and every reason a difference', async () => {
  const found = differences(kubeadm, await ours()).map(({ id }) => id);
  const reasons = explained.reasons.flatMap(({ ids }) => ids);
  expect(reasons.toSorted(), 'reasons in test/golden/kubeadm/differences.yaml').toEqual(found.toSorted());
});

test('docs/kubeadm.md lists them; npm run golden:update rewrites it', async () => {
  const page = kubeadmPage(explained, differences(kubeadm, await ours()));
  if (process.env['KUBEWRIGHT_GOLDEN_UPDATE'] === '1') writeFileSync(PAGE, page);
  expect(readFileSync(PAGE, 'utf8')).toBe(page);
});

test('what add-ons count on is as kubeadm has it', async () => {
  const { flags, config, node, dnsService, corefile } = await ours();
  expect(flags['kube-apiserver']).toMatchObject({
    'allow-privileged': 'true',
    'authorization-mode': 'Node,RBAC',
    'kubelet-preferred-address-types': 'InternalIP,ExternalIP,Hostname',
    'requestheader-allowed-names': 'front-proxy-client',
    'service-account-issuer': 'https://kubernetes.default.svc.cluster.local',
  });
  expect(flags['kube-controller-manager']).toMatchObject({ 'allocate-node-cidrs': 'true' });
  expect(Object.keys(flags['kube-controller-manager']!)).toEqual(
    expect.arrayContaining(['cluster-signing-cert-file', 'cluster-signing-key-file']),
  );
  expect(config['kube-proxy']).toMatchObject({ healthzBindAddress: '0.0.0.0:10256' });
  expect(node.labels).toContain('node.kubernetes.io/exclude-from-external-load-balancers');
  expect(dnsService).toMatchObject({ 'prometheus.io/scrape': 'true' });
  expect(corefile).toContain('.:53 / cache / disable denial cluster.local');
});

test('an unexplained difference fails', async () => {
  const own = await ours();
  const changed = { ...own, flags: { ...own.flags, 'kube-apiserver': { ...own.flags['kube-apiserver'] } } };
  delete changed.flags['kube-apiserver']!['allow-privileged'];
  const more = differences(kubeadm, changed).filter(({ id }) => !explained.reasons.some(({ ids }) => ids.includes(id)));
  expect(more).toEqual([{ id: 'kube-apiserver --allow-privileged', kubeadm: 'true', ours: null }]);
});
