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
const allowNamespace = (port: number) =>
  policy('allow-guests', {
    podSelector: { matchLabels: { app: 'probe' } },
    policyTypes: ['Ingress'],
    ingress: [
      { from: [{ namespaceSelector: { matchLabels: { guests: 'yes' } } }], ports: [{ protocol: 'TCP', port }] },
    ],
  });
const DENY_EGRESS = policy('deny-egress', {
  podSelector: { matchLabels: { role: 'friend' } },
  policyTypes: ['Egress'],
});

/** A second namespace, which a policy can name. */
const GUESTS = `${NAMESPACE}-guests`;

/**
 * Deny, allow by pod and port, by namespace and port, deny egress: asked of two pods that differ only in a label, and of one in another
 * namespace. The probe's pods are up.
 */
export async function policiesHold(kit: MatrixKit): Promise<void> {
  await kit.apply([{ apiVersion: 'v1', kind: 'Namespace', metadata: { name: GUESTS, labels: { guests: 'yes' } } }]);
  const guest = `${GUESTS}/guest`;
  await Promise.all([
    probePod(kit, 'friend', { role: 'friend' }),
    probePod(kit, 'stranger', { role: 'stranger' }),
    probePod(kit, guest, { role: 'friend' }),
  ]);
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
  await expectAccess('without a policy', { friend: 'open', stranger: 'open', [guest]: 'open' });
  await kit.apply([DENY_INGRESS]);
  await expectAccess('all ingress denied', { friend: 'closed', stranger: 'closed', [guest]: 'closed' });
  await kit.apply([ALLOW_FRIENDS]);
  await expectAccess('one pod and port allowed', { friend: 'open', stranger: 'closed', [guest]: 'closed' });
  await kit.apply([allowNamespace(PROBE_PORT)]);
  await expectAccess('a namespace and port allowed', { friend: 'open', stranger: 'closed', [guest]: 'open' });
  await kit.apply([allowNamespace(PROBE_PORT + 1)]);
  await expectAccess('another port of the namespace allowed', {
    friend: 'open',
    stranger: 'closed',
    [guest]: 'closed',
  });
  await kit.apply([DENY_EGRESS]);
  await expectAccess('its egress denied', { friend: 'closed', stranger: 'closed' });
  await kit.kubectl(['delete', 'namespace', GUESTS, '--timeout=120s']);
}
