import { type MatrixKit, until } from './kit.ts';
import { NAMESPACE, PROBE_PORT, probePod, runProbe } from './probe-pods.ts';

const policy = (name: string, spec: object) => ({
  apiVersion: 'networking.k8s.io/v1',
  kind: 'NetworkPolicy',
  metadata: { name, namespace: NAMESPACE },
  spec,
});
const DENY_INGRESS = policy('deny-ingress', {
  podSelector: { matchLabels: { app: 'probe' } },
  policyTypes: ['Ingress'],
});
const ALLOW_FRIENDS = policy('allow-friends', {
  podSelector: { matchLabels: { app: 'probe' } },
  policyTypes: ['Ingress'],
  ingress: [
    { from: [{ podSelector: { matchLabels: { role: 'friend' } } }], ports: [{ protocol: 'TCP', port: PROBE_PORT }] },
  ],
});
const DENY_EGRESS = policy('deny-egress', {
  podSelector: { matchLabels: { role: 'friend' } },
  policyTypes: ['Egress'],
});

/** Deny, allow by pod and port, deny egress: asked of two pods that differ only in a label. The probe's pods are up. */
export async function policiesHold(kit: MatrixKit): Promise<void> {
  await Promise.all([probePod(kit, 'friend', { role: 'friend' }), probePod(kit, 'stranger', { role: 'stranger' })]);
  const { spec } = await kit.get<{ spec: { clusterIP: string } }>('service', '-n', NAMESPACE, 'probe');
  const url = `http://${spec.clusterIP}/`;
  const expectAccess = (title: string, wanted: Record<string, 'open' | 'closed'>) =>
    until(title, 60_000, async () => {
      const answers = await Promise.all(
        Object.entries(wanted).map(async ([pod, access]) => {
          const answer = (await runProbe(kit, pod, 'get', url)).trim();
          return answer.startsWith(access) ? [] : [`${pod} should be ${access}: ${answer}`];
        }),
      );
      return answers.flat().join('; ') || null;
    });
  await expectAccess('without a policy', { friend: 'open', stranger: 'open' });
  await kit.apply([DENY_INGRESS]);
  await expectAccess('all ingress denied', { friend: 'closed', stranger: 'closed' });
  await kit.apply([ALLOW_FRIENDS]);
  await expectAccess('one pod and port allowed', { friend: 'open', stranger: 'closed' });
  await kit.apply([DENY_EGRESS]);
  await expectAccess('its egress denied', { friend: 'closed', stranger: 'closed' });
}
