import { KUBECTL_ENV } from '../../kube/kubectl.ts';
import { FIELD_MANAGER } from '../../resources/manifests.ts';
import { defineKind, type Resource, resourceKey } from '../../resources/resource.ts';
import { shCode } from '../../resources/sh-code.ts';
import { Unknown } from '../../resources/unknown.ts';

export interface CalicoCrdsResource extends Resource {
  readonly kind: 'calico-crds';
  /** sha256 of the file, hex. */
  readonly sha256: string;
}

/** On each definition: which file it is of. A label has at most 63 characters. */
const LABEL = 'kubewright.dev/file';
const labelOf = ({ sha256 }: CalicoCrdsResource): string => `${LABEL}=${sha256.slice(0, 32)}`;

/** How often an API server that starts is asked again, a second apart. */
const TRIES = 30;

/**
 * The resource definitions of the file at `path` on this host are in the cluster and established. The file comes by the artifacts'
 * way; a label on each definition says which file it is of, so that an unchanged cluster is asked for names alone.
 */
export const calicoCrds = (path: string, sha256: string): CalicoCrdsResource => ({
  kind: 'calico-crds',
  id: path,
  sha256,
});

const environment = Object.entries(KUBECTL_ENV)
  .map(([name, value]) => `${name}=${value}`)
  .join(' ');

interface Count {
  wanted: number;
  there: number;
}

export default defineKind<CalicoCrdsResource, Count>({
  kind: 'calico-crds',
  probe: (
    resource,
    quote,
  ) => `kw_stat -c %F -- ${quote(resource.id)} && command -v kubectl >/dev/null && [ -e ${KUBECTL_ENV.KUBECONFIG} ] ||
  { echo 'counts 1 0'; exit 0; }
kw_wanted=$(grep -c '^kind: CustomResourceDefinition' ${quote(resource.id)})
kw_says=$(${environment} timeout 20 kubectl get crd --request-timeout=10s -l ${quote(labelOf(resource))} -o name 2>&1) || kw_unknown "$kw_says"
echo "counts $kw_wanted $(printf '%s\\n' "$kw_says" | grep -c '^customresourcedefinition')"`,
  parse(output) {
    const [, wanted, there] = /^counts (\d+) (\d+)$/m.exec(output) ?? [];
    if (wanted === undefined || there === undefined) throw new Unknown(output.slice(-400));
    return { wanted: Number(wanted), there: Number(there) };
  },
  diff: (resource, { wanted, there }) =>
    wanted > 0 && there >= wanted
      ? []
      : [
          {
            resource: resourceKey(resource),
            action: there === 0 ? 'create' : 'update',
            detail: `file ${resource.sha256.slice(0, 12)}`,
          },
        ],
  fragment: (resource, _observed, { quote }) => ({
    script: `kw_crds() {
  ${environment} kubectl label --local -f ${quote(resource.id)} ${quote(labelOf(resource))} -o json |
    ${environment} kubectl apply --server-side --force-conflicts --field-manager=${FIELD_MANAGER} -f - &&
    ${environment} kubectl wait --for=condition=Established --timeout=60s crd -l ${quote(labelOf(resource))} &&
    [ "$(${environment} kubectl get crd -l ${quote(labelOf(resource))} -o name | grep -c .)" -ge "$(grep -c '^kind: CustomResourceDefinition' ${quote(resource.id)})" ]
}
kw_try=0
until kw_says=$(kw_crds 2>&1); do
  kw_try=$((kw_try + 1))
  [ "$kw_try" -lt ${TRIES} ] || {
    kw_fail ${shCode('MANIFEST_REFUSED')} ${quote('the resource definitions of Calico could not be applied')}
    printf '%s\\n' "$kw_says"
    exit 1
  }
  sleep 1
done`,
    timeoutMs: 180_000,
  }),
  // They are the cluster's and end with it.
  ledgerEntries: () => [],
  digest: ({ sha256 }) => sha256,
});
