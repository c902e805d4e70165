import { X509Certificate } from 'node:crypto';
import type { Change } from '../../../contracts/operation.ts';
import { digestOfParts } from '../../resources/digest.ts';
import { type ApplyContext, defineKind, type Resource, resourceKey } from '../../resources/resource.ts';
import { Unknown } from '../../resources/unknown.ts';
import { KUBEADM_FILES as FILES } from './paths.ts';
import { TRACES } from './scripts.ts';

/** What the host is, as far as kubeadm is concerned. */
export interface ControlPlaneState {
  /** Digests that were applied; null: the host is no control plane yet, or it is not known to be one. */
  applied: { config: string; etcd: string } | null;
  /** The manifests are as kubeadm wrote them then. */
  manifestsAsWritten: boolean;
  /** Files of a start or a join that did not come to its end. */
  traces: readonly string[];
  /** Names and addresses in the certificate of the API server. */
  names: readonly string[];
}

/** How a resource makes it so, given by the phase. */
interface ControlPlaneSteps {
  /** Founds the cluster, or joins it. */
  begin: (context: ApplyContext, state: ControlPlaneState) => Promise<void>;
  change: (context: ApplyContext, state: ControlPlaneState) => Promise<void>;
}

export interface ControlPlaneResource extends Resource, ControlPlaneSteps {
  readonly kind: 'kubeadm-control-plane';
  /** Digest of everything that the static pods are made from. */
  readonly config: string;
  /** Digest of etcd's part of it; constant where etcd is no static pod. */
  readonly etcd: string;
  /** Folders that the static pods fill: logs, and the data of etcd. */
  readonly fills: readonly string[];
  /** Names and addresses that the certificate of the API server has to have. */
  readonly names: readonly string[];
}

/** API server, controller manager, scheduler and, where it is stacked, etcd of this host, as kubeadm's static pods. */
export const kubeadmControlPlane = (
  id: string,
  desired: Omit<ControlPlaneResource, 'kind' | 'id'>,
): ControlPlaneResource => ({ kind: 'kubeadm-control-plane', id, ...desired });

/** Names that the certificate lacks, and those that it should not have. Pure. */
export function namesProblem(wanted: readonly string[], present: readonly string[]): string | null {
  const lacking = wanted.filter((name) => !present.includes(name));
  const extra = present.filter((name) => !wanted.includes(name));
  if (lacking.length + extra.length === 0) return null;
  const part = (words: string, list: readonly string[]) => (list.length > 0 ? [`${words} ${list.join(', ')}`] : []);
  return `certificate of the API server: ${[...part('with', lacking), ...part('without', extra)].join('; ')}`;
}

export default defineKind<ControlPlaneResource, ControlPlaneState>({
  kind: 'kubeadm-control-plane',
  probe: () => `if [ -r ${FILES.record} ]; then
  echo recorded
  grep -E '^(config|etcd) [0-9a-f]+$' ${FILES.record}
  if grep -E '^[0-9a-f]{64}  /' ${FILES.record} | sha256sum --check --status 2>/dev/null; then echo manifests same; else echo manifests changed; fi
else
  echo new
  ${TRACES}
fi
[ ! -r ${FILES.apiServerCert}.crt ] || printf 'certificate %s\\n' "$(base64 -w 0 ${FILES.apiServerCert}.crt)"
echo end`,
  parse(output) {
    const lines = output.split('\n');
    const all = (word: string) =>
      lines.flatMap((line) => (line.startsWith(`${word} `) ? [line.slice(word.length + 1)] : []));
    if (!lines.includes('end')) throw new Unknown(`the state of the control plane: ${output.slice(-200)}`);
    const [config] = all('config');
    const [etcd] = all('etcd');
    const [certificate] = all('certificate');
    return {
      applied: config !== undefined && etcd !== undefined ? { config, etcd } : null,
      manifestsAsWritten: lines.includes('manifests same'),
      traces: all('trace'),
      names: certificate === undefined ? [] : certificateNames(Buffer.from(certificate, 'base64').toString()),
    };
  },
  diff(resource, { applied, manifestsAsWritten, traces, names }) {
    const change = (action: 'create' | 'update', detail: string, of = resourceKey(resource)): Change[] => [
      { resource: of, action, detail },
    ];
    if (applied === null) {
      return change(
        'create',
        traces.length > 0 ? 'becomes a control plane: an attempt was interrupted' : 'becomes a control plane',
      );
    }
    const problem = namesProblem(resource.names, names);
    const why = [
      ...(applied.config === resource.config ? [] : ['its configuration']),
      ...(applied.config !== resource.config || manifestsAsWritten ? [] : [`files in ${FILES.manifests} were changed`]),
    ];
    return [
      ...(why.length === 0 ? [] : change('update', why.join('; '))),
      ...(problem === null ? [] : change('update', problem, `file:${FILES.apiServerCert}.crt`)),
    ];
  },
  apply: (resource, state, context) =>
    state.applied === null ? resource.begin(context, state) : resource.change(context, state),
  ledgerEntries: ({ fills }) => [{ id: FILES.record, kind: 'file', prior: {}, replaces: [FILES.record], fills }],
  owns: ({ fills }, { kind, id }) =>
    kind === 'leftover'
      ? fills.some((path) => id === path || id.startsWith(`${path}/`))
      : kind === 'file' && id === FILES.record,
  digest: ({ config, etcd, names }) => digestOfParts([config, etcd, ...names]),
});

/** Names and addresses of a certificate, PEM; none of what is no certificate. */
export function certificateNames(pem: string): string[] {
  try {
    return (new X509Certificate(pem).subjectAltName ?? '')
      .split(', ')
      .map((entry) => entry.slice(entry.indexOf(':') + 1))
      .filter((name) => name !== '');
  } catch {
    return [];
  }
}
