import { z } from 'zod';
import { install } from '../kube/install.ts';
import { KUBECTL_ENV } from '../kube/kubectl.ts';
import { KUBEWRIGHT_DIR } from '../kube/paths.ts';
import { waitForDeployments } from '../kube/rollout.ts';
import { manifests } from '../resources/manifests.ts';
import {
  CALICO,
  CALICO_CRDS,
  calicoCrds,
  calicoDeploymentsOf,
  calicoObjects,
  isCalicoOn,
  NODE_LABELS,
  NODE_NAME,
} from './calico/public.ts';
import { definePhase } from './phase.ts';

const CRDS = { artifact: CALICO_CRDS, version: CALICO_CRDS.version, into: KUBEWRIGHT_DIR };
const CRDS_FILE = `${KUBEWRIGHT_DIR}/calico-crds.yaml`;

/** Calico in the cluster: the definitions of its resources, then its objects, by the options of phase calico. */
export default definePhase({
  name: 'calico-objects',
  title: 'Calico in the cluster',
  hosts: 'one-control-plane',
  needs: [
    // Its own API server, kubectl and kubeconfig.
    { phase: 'control-plane', on: 'same-host' },
    { phase: 'registry', on: 'every-host' },
  ],
  timeouts: { applyMs: 5 * 60_000, verifyMs: 20 * 60_000 },
  expectedMs: 30_000,
  options: z.strictObject({}),
  enabled: isCalicoOn,
  requires: () => ({ artifacts: [CRDS] }),
  resources: async (context) => {
    const { sha256 } = await context.artifacts.file(CRDS.artifact, CRDS.version, context.facts.arch);
    return [
      await install(context, CRDS),
      calicoCrds(CRDS_FILE, sha256),
      manifests(CALICO, await calicoObjects(context)),
    ];
  },
  async verify(run) {
    const { remote, fail } = run;
    await waitForDeployments(run, calicoDeploymentsOf(run), 4 * 60_000);
    const selector = Object.entries(NODE_LABELS)
      .map(([key, value]) => `${key}=${value}`)
      .join(',');
    const { code, stdout } = await remote.script(ROLLED, [NODE_NAME, selector], {
      env: KUBECTL_ENV,
      okCodes: 'any',
      timeoutMs: 16 * 60_000,
    });
    if (code !== 0) fail('WORKLOAD_NOT_READY', `${NODE_NAME} is not renewed on every node that is Ready`, stdout);
  },
});

/**
 * `<DaemonSet> <its labels>`: until each node that is Ready has a pod of the newest generation that is ready, as long as one comes every
 * three minutes. A node that is down does not count: its pod waits for it.
 */
const ROLLED = `
lacks() {
  revision=$(kubectl -n kube-system get controllerrevisions -l "$2" --sort-by .revision -o 'jsonpath={.items[-1:].metadata.labels.controller-revision-hash}') || return 1
  kubectl get nodes -o 'jsonpath={range .items[*]}{.metadata.name}{" "}{.status.conditions[?(@.type=="Ready")].status}{"\\n"}{end}' >"$tmp/nodes" || return 1
  kubectl -n kube-system get pods -l "$2" -o 'jsonpath={range .items[*]}{.spec.nodeName}{" "}{.metadata.labels.controller-revision-hash}{" "}{.status.conditions[?(@.type=="Ready")].status}{"\\n"}{end}' >"$tmp/pods" || return 1
  awk -v "revision=$revision" 'NR == FNR { if ($2 == revision && $3 == "True") good[$1]; next } $2 == "True" && !($1 in good) { print $1 }' "$tmp/pods" "$tmp/nodes"
}
tmp=$(mktemp -d)
trap 'rm -rf -- "$tmp"' EXIT
kubectl -n kube-system get "daemonset/$1" -o name >/dev/null || exit 1
left=-1
while :; do
  if says=$(lacks "$@" 2>&1); then
    [ -n "$says" ] || exit 0
    now=$(printf '%s\\n' "$says" | wc -l)
  else
    now=$left
  fi
  # Each pod that is ready starts the wait anew.
  [ "$now" = "$left" ] || { left=$now; deadline=$(($(date +%s) + 180)); }
  [ "$(date +%s)" -lt "\${deadline:=$(($(date +%s) + 180))}" ] || break
  sleep 2
done
printf 'without a renewed pod: %s\\n' "$(printf '%s' "$says" | tr '\\n' ' ' | cut -c1-500)"
kubectl -n kube-system get pods -l "$2" -o wide 2>&1 | grep -v ' 1/1 ' | head -n 10
exit 1
`;
