import { KUBELET_FILES } from '../../kube/kubeadm.ts';
import { digestOfParts } from '../../resources/digest.ts';
import { type ApplyContext, defineKind, type Resource, resourceKey } from '../../resources/resource.ts';
import { Unknown } from '../../resources/unknown.ts';

export interface KubeadmWorkerResource extends Resource {
  readonly kind: 'kubeadm-worker';
  readonly server: string;
  readonly join: (context: ApplyContext, traces: readonly string[]) => Promise<void>;
}

interface WorkerState {
  /** The kubelet has a certificate of the cluster, which is the last step of a join. */
  joined: boolean;
  /** Files of a join that did not come to its end. */
  traces: readonly string[];
  /** Where the kubelet finds the API servers. */
  server: string | null;
}

/** The host is a worker that joined by kubeadm, and its kubelet uses the endpoint of the spec. */
export const kubeadmWorker = (
  id: string,
  desired: Pick<KubeadmWorkerResource, 'join' | 'server'>,
): KubeadmWorkerResource => ({ kind: 'kubeadm-worker', id, ...desired });

export default defineKind<KubeadmWorkerResource, WorkerState>({
  kind: 'kubeadm-worker',
  probe:
    () => `for kw_t in ${KUBELET_FILES.kubeconfig} ${KUBELET_FILES.bootstrapKubeconfig} ${KUBELET_FILES.config}; do [ ! -e "$kw_t" ] || echo "trace $kw_t"; done
[ ! -e ${KUBELET_FILES.kubeconfig} ] || [ ! -e ${KUBELET_FILES.client} ] || echo joined
[ ! -r ${KUBELET_FILES.kubeconfig} ] || sed -n 's/^ *server: /server /p' ${KUBELET_FILES.kubeconfig}
echo end`,
  parse(output) {
    const lines = output.split('\n');
    if (!lines.includes('end')) throw new Unknown(`whether the host joined: ${output.slice(-200)}`);
    const all = (word: string) =>
      lines.flatMap((line) => (line.startsWith(`${word} `) ? [line.slice(word.length + 1)] : []));
    return { joined: lines.includes('joined'), traces: all('trace'), server: all('server')[0] ?? null };
  },
  diff(resource, { joined, traces, server }) {
    const change = (action: 'create' | 'update', detail: string) => [
      { resource: resourceKey(resource), action, detail },
    ];
    if (!joined) return change('create', traces.length > 0 ? 'joins: an attempt was interrupted' : 'joins');
    return server === resource.server ? [] : change('update', `its kubelet uses ${resource.server}`);
  },
  async apply({ join, server }, state, context) {
    if (!state.joined) await join(context, state.traces);
    await context.host.script(USE_SERVER, [KUBELET_FILES.kubeconfig, server], { timeoutMs: 120_000 });
  },
  digest: ({ server }) => digestOfParts([server]),
});

/** The kubelet reads its kubeconfig at its start only. */
const USE_SERVER = `
grep -q "^ *server: $2\\$" "$1" && exit 0
sed "s|^\\( *server: \\).*|\\1$2|" "$1" >"$1.new"
chmod 0600 "$1.new"
mv -f -T -- "$1.new" "$1"
systemctl restart kubelet.service
`;
