import { z } from 'zod';
import { imageRef } from '../../kube/images.ts';
import { KUBECTL_ENV } from '../../kube/kubectl.ts';
import { SYSTEM_NAMESPACE } from '../../kube/manifests/common.ts';
import { waitForDeployments } from '../../kube/rollout.ts';
import type { LeafRequest } from '../../pki/types.ts';
import { manifests } from '../../resources/manifests.ts';
import { resourceMetrics } from '../capabilities/resource-metrics.ts';
import { definePhase } from '../phase.ts';
import { METRICS_SERVER } from './artifacts.ts';
import { METRICS_PORT, METRICS_SERVICE, METRICS_TLS_SECRET, metricsServer } from './manifests.ts';
import { certificateDigest, ensureTlsSecret } from './tls-secret.ts';

const options = z.strictObject({
  replicas: z.int().min(1).max(10).default(1),
  resolutionSeconds: z
    .int()
    .min(10)
    .max(300)
    .default(10)
    .describe('Seconds between two scrapes of the kubelets; metrics-server takes 10 or more'),
});

const server: LeafRequest = {
  authority: 'kubernetes',
  name: 'metrics-server',
  commonName: METRICS_SERVICE,
  dnsNames: [METRICS_SERVICE, `${METRICS_SERVICE}.${SYSTEM_NAMESPACE}`, `${METRICS_SERVICE}.${SYSTEM_NAMESPACE}.svc`],
  usages: ['server'],
};

/** metrics-server: what `kubectl top` and autoscalers ask. TLS on both sides of it is verified. */
export default definePhase({
  name: 'metrics',
  title: 'Metrics',
  hosts: 'one-control-plane',
  optional: true,
  offers: [resourceMetrics.offer(() => ({ api: 'metrics.k8s.io/v1beta1' }))],
  needs: [
    // Its own API server, kubectl and kubeconfig.
    { phase: 'control-plane', on: 'same-host' },
    { phase: 'registry', on: 'every-host' },
    { phase: 'pki', on: 'every-host' },
  ],
  waitsForPods: true,
  timeouts: { applyMs: 3 * 60_000, verifyMs: 4 * 60_000 },
  expectedMs: 20_000,
  objects: [{ kind: 'Secret', namespace: SYSTEM_NAMESPACE, name: METRICS_TLS_SECRET }],
  keepsRunning: { objects: ['Deployment/metrics-server', 'APIService/v1beta1.metrics.k8s.io'] },
  options,
  requires: () => ({
    images: [METRICS_SERVER],
    // Its pods have the network of their node, and the API servers reach them there.
    ports: [{ protocol: 'tcp', port: METRICS_PORT, what: 'metrics-server', from: ['control-plane'], on: 'nodes' }],
  }),
  resources: async (context) => {
    const leaf = await context.pki.leaf(server);
    const objects = metricsServer({
      image: await imageRef(context, METRICS_SERVER),
      replicas: context.options.replicas,
      ca: leaf.ca,
      certificateDigest: certificateDigest(leaf),
      resolutionSeconds: context.options.resolutionSeconds,
    });
    return [manifests('metrics-server', objects)];
  },
  hooks: {
    after: async (run) =>
      ensureTlsSecret(
        run,
        { namespace: SYSTEM_NAMESPACE, name: METRICS_TLS_SECRET, phase: 'metrics' },
        await run.pki.leaf(server),
      ),
  },
  async verify(run) {
    await waitForDeployments(run, ['metrics-server'], 3 * 60_000);
    const { code, stdout } = await run.remote.script(AVAILABLE, [], {
      env: KUBECTL_ENV,
      okCodes: 'any',
      timeoutMs: 120_000,
    });
    if (code !== 0) run.fail('WORKLOAD_NOT_READY', 'the API metrics.k8s.io is not available', stdout);
  },
});

const AVAILABLE = `
deadline=$(($(date +%s) + 45))
# It fails at once where the API server does not answer, or does not know the object yet.
until said=$(kubectl wait --for=condition=Available --timeout=45s apiservice/v1beta1.metrics.k8s.io 2>&1); do
  if [ "$(date +%s)" -ge "$deadline" ]; then
    printf '%s\\n' "$said"
    kubectl get apiservice v1beta1.metrics.k8s.io -o jsonpath='{.status.conditions[*].message}' 2>&1
    exit 1
  fi
  sleep 1
done
`;
