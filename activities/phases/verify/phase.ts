import { z } from 'zod';
import { kubeHosts } from '../../../contracts/cluster.ts';
import { imageRef } from '../../kube/images.ts';
import { KUBECTL_ENV } from '../../kube/kubectl.ts';
import { SYSTEM_NAMESPACE } from '../../kube/manifests/common.ts';
import { internalIpv4 } from '../../kube/network.ts';
import { KUBEWRIGHT_DIR } from '../../kube/paths.ts';
import { file } from '../../resources/file.ts';
import { podNetwork } from '../capabilities/pod-network.ts';
import { definePhase, type PhaseContext, type PhaseRun } from '../phase.ts';
import { expectedNodes } from '../placement.ts';
import { BUSYBOX } from './artifacts.ts';
import {
  isAboutSize,
  NODES_SCRIPT,
  parseFailures,
  type SmokeFailure,
  sizeSentence,
  unreachableNodes,
  unreadyNodes,
} from './checks.ts';
import { SMOKE_NAME, smokeObjects } from './manifests.ts';
import { SMOKE_SCRIPT } from './smoke-script.ts';

/** What the cluster was when it was last verified; anything else is verified anew. */
const RECORD = `${KUBEWRIGHT_DIR}/cluster.json`;

const options = z.strictObject({
  neighbours: z
    .int()
    .min(1)
    .max(1000)
    .default(20)
    .describe('Number of other nodes that each node must reach in the network test; a smaller cluster tests all'),
});

/** The whole cluster: nodes Ready at the wanted version; pods reach each other, services and DNS. */
export default definePhase({
  name: 'verify',
  title: 'Smoke test',
  hosts: 'one-control-plane',
  actsPerNode: true,
  needs: [
    { phase: 'kubernetes-store', on: 'every-host' },
    { phase: 'control-plane', on: 'every-host' },
    { phase: 'node-agent', on: 'every-host' },
    { phase: 'node-labels', on: 'every-host' },
    { phase: 'pod-network', on: 'every-host' },
    { phase: 'node-ready', on: 'every-host' },
    { phase: 'time-synchronization', on: 'every-host' },
    { phase: 'registry', on: 'every-host' },
    { phase: 'dns', on: 'every-host' },
    // Not metrics: pods are tried while metrics-server collects its first figures, which metrics-ready waits for.
    { phase: 'dashboard', on: 'every-host' },
    // What is tested is the cluster as it stays.
    { phase: 'cleanup', on: 'every-host' },
  ],
  waitsForPods: true,
  timeouts: { applyMs: 2 * 60_000, verifyMs: 6 * 60_000 },
  expectedMs: 6_000,
  options,
  requires: () => ({ images: [BUSYBOX] }),
  resources: (context) => [file(RECORD, record(context), { mode: 0o600 })],
  hooks: {
    /** Every time, changed or not. */
    async before(run) {
      const { cluster, remote, waitFor } = run;
      const wanted = expectedNodes(run);
      const message = 'not every node is Ready at the wanted version';
      await waitFor({ code: 'NODE_NOT_READY', message, timeoutMs: 60_000 }, async () => {
        const { stdout, stderr } = await remote.script(NODES_SCRIPT, [pingTargets(run)], {
          env: KUBECTL_ENV,
          okCodes: 'any',
          maxOutputBytes: 4 * 1024 * 1024,
          timeoutMs: 60_000,
        });
        failIfUnreachable(run, stdout);
        const unready = unreadyNodes(stdout, {
          wanted,
          version: cluster.spec.kubernetes.version,
        });
        if (unready.length === 0) return null;
        const missing = unready.slice(0, 20).map(({ what }) => what);
        const blames = [...new Set(unready.flatMap(({ node }) => node ?? []))].filter((name) => name !== run.host.name);
        return { missing: `${missing.join('\n')}\n${stderr}`.trim(), blames };
      });
    },
  },
  async verify(run) {
    const { cluster, remote, options, fail } = run;
    const names = smokeNodesOf(run);
    const all = names.length === kubeHosts(cluster).length;
    const objects = smokeObjects({ image: await imageRef(run, BUSYBOX), nodes: all ? null : names });
    const list = JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects });
    const url = `http://${SMOKE_NAME}.${SYSTEM_NAMESPACE}.svc.${cluster.spec.network.clusterDomain}/`;
    const { stdout, stderr } = await remote.script(
      SMOKE_SCRIPT,
      [
        ...[list, SMOKE_NAME, url, String(options.neighbours), pingTargets(run)],
        ...[String(cluster.spec.network.mtu ?? ''), ...names],
      ],
      { env: KUBECTL_ENV, okCodes: 'any', timeoutMs: 5 * 60_000 },
    );
    failIfUnreachable(run, stdout);
    const found = parseFailures(stdout);
    const failures = found.filter(({ check }) => !isAboutSize(check));
    const [first] = failures;
    if (!first) failIfTooLarge(run, found);
    if (first) {
      const more = failures.length > 1 ? ` (and ${failures.length - 1} more)` : '';
      const between = first.from === first.to ? `on ${first.from}` : `from ${first.from} to ${first.to}`;
      fail(
        'SMOKE_TEST_FAILED',
        `check ${first.check} failed ${between}${more}`,
        found.map(({ check, from, to, what }) => `${check} ${from} -> ${to}: ${what}`).join('\n'),
      );
    }
    if (!stdout.endsWith('end\n')) fail('SMOKE_TEST_FAILED', 'the smoke test broke off', `${stdout}\n${stderr}`);
  },
});

/** Those nodes as the scripts listen to them. One that is known by a DNS name is not: it may be the name that is lost. */
function pingTargets(run: PhaseRun<unknown>): string {
  const wanted = new Set(expectedNodes(run));
  return kubeHosts(run.cluster)
    .filter(({ name }) => wanted.has(name) && name !== run.host.name)
    .flatMap((host) => {
      const address = internalIpv4(host);
      return address === undefined ? [] : [`${host.name} ${address}`];
    })
    .join('\n');
}

/** Kubernetes takes most of a minute to call a dead node not Ready; a test of the machine itself is faster. */
function failIfUnreachable(run: PhaseRun<unknown>, output: string): void {
  const unreachable = unreachableNodes(output);
  if (unreachable.length === 0) return;
  const few = `${unreachable.slice(0, 5).join(', ')}${unreachable.length > 5 ? ` and ${unreachable.length - 5} more` : ''}`;
  const evidence = `${unreachable.join(', ')}: neither ping nor the kubelet's port was answered, in three tries from ${run.host.name}`;
  run.fail('NODE_UNREACHABLE', `${few} cannot be reached from ${run.host.name}`, evidence, unreachable);
}

/** Throws MTU_TOO_LARGE where packets that fit the link of a pod, or of a node, are lost on their way. */
function failIfTooLarge({ cluster, fail, offer }: PhaseRun<unknown>, failures: readonly SmokeFailure[]): void {
  const [first] = failures;
  if (!first) return;
  const { overhead } = offer(podNetwork);
  const more = failures.length > 1 ? ` (and ${failures.length - 1} more)` : '';
  const given = cluster.spec.network.mtu ?? 'not given';
  const evidence = [
    ...failures.map((failure) => sizeSentence(failure, overhead)),
    `spec.network.mtu: ${given}, overhead of the pod network: ${overhead} bytes`,
  ];
  fail('MTU_TOO_LARGE', `${sizeSentence(first, overhead)}${more}`, evidence.join('\n'));
}

/** Where test pods run. A single node has no peer for the network test: this control plane joins it. */
function smokeNodesOf(context: PhaseContext<unknown>): string[] {
  const names = expectedNodes(context);
  return names.includes(context.host.name) ? names : [context.host.name, ...names];
}

/** All that the result depends on. The spec holds references to secrets only, and those are left out too. */
function record({ cluster, quarantined }: PhaseContext<z.output<typeof options>>): string {
  const { kubernetes, network, hosts, phases } = cluster.spec;
  const digest = {
    name: cluster.metadata.name,
    kubernetes,
    network,
    hosts: hosts.map(({ name, address, internalAddress, roles, phases: own }) => ({
      name,
      address,
      ...(internalAddress === undefined ? {} : { internalAddress }),
      roles,
      ...(Object.keys(own).length > 0 ? { phases: own } : {}),
    })),
    phases,
    ...(quarantined.length > 0 ? { quarantined } : {}),
  };
  return `${JSON.stringify(digest, null, 2)}\n`;
}
