import { z } from 'zod';
import { printableLine } from '../../../../contracts/printable.ts';
import { formatMarker, markerOf, type OwnershipMarker } from '../../../host/ownership-marker.ts';
import { externalEtcd } from '../../etcd/public.ts';
import {
  ASK,
  CALLS,
  CLAIMED,
  COMPACT_KEY,
  callBody,
  type EndpointView,
  edgesOf,
  keysBelow,
  markerKey,
  oneKey,
  readAnswers,
  viewOf,
  wouldWrite,
} from '../../external-etcd/public.ts';
import { defineCheck, type Problem } from '../check.ts';

type Code =
  | NonNullable<EndpointView['problem']>['code']
  | 'EXTERNAL_ETCD_SLOW'
  | 'EXTERNAL_ETCD_DIVIDED'
  | 'EXTERNAL_ETCD_IN_USE'
  | 'EXTERNAL_ETCD_REPLACED';

interface Loaded {
  /** Name of the stored client certificate. */
  credential: string;
  prefix: string;
  endpoints: readonly string[];
  marker: OwnershipMarker;
  /** This cluster has its marker there. */
  claimed: boolean;
}

/** Problems of one kind as one, with all their evidence. */
function joined(problems: readonly Problem<Code>[]): Problem<Code>[] {
  const byCode = new Map<Code, Problem<Code>>();
  for (const each of problems) {
    const first = byCode.get(each.code);
    byCode.set(each.code, first ? { ...first, evidence: `${first.evidence}\n${each.evidence}` } : each);
  }
  return [...byCode.values()];
}

/** Whose the keys below the prefix are, as the endpoint of a cluster of one etcd says. */
function ownershipProblem(
  { endpoint, marker: found, keys }: EndpointView,
  { marker, prefix, claimed }: Loaded,
): Problem<Code>[] {
  if (found === formatMarker(marker)) return [];
  const [name = ''] = (found ?? '').split(' ');
  const first = keys.first.map(printableLine).join(', ');
  const evidence = `${endpoint}: ${markerKey(prefix)} is ${found === null ? 'not there' : printableLine(found)}; this cluster: ${formatMarker(marker).trim()}; ${keys.count} keys${first ? `, the first: ${first}` : ''}`;
  if (found !== null) {
    const whose =
      name === marker.name ? `an earlier cluster that is called ${name} too` : `the cluster ${printableLine(name)}`;
    return [{ code: 'EXTERNAL_ETCD_IN_USE', message: `the keys below ${prefix}/ belong to ${whose}`, evidence }];
  }
  if (claimed) {
    const message = `the etcd does not hold the keys of this cluster below ${prefix}/ any more: it is another etcd, or its keys were deleted`;
    return [{ code: 'EXTERNAL_ETCD_REPLACED', message, evidence }];
  }
  if (keys.count === 0) return [];
  return [
    {
      code: 'EXTERNAL_ETCD_IN_USE',
      message: `there are ${keys.count} keys below ${prefix}/ already, which are not of this cluster`,
      evidence,
    },
  ];
}

export default defineCheck({
  name: 'external-etcd',
  about: 'network',
  title: 'External etcd',
  inspects:
    'Each endpoint of `spec.phases.etcd.bootstrap` of mode `external`, from each control plane, with the client certificate and the CA of the credential: TLS, version, health, permission to read and write below the prefix and on `compact_rev_key`, the time of a transaction, one etcd cluster behind all endpoints, and whose keys are below the prefix. Nothing is written. Where the cluster is built already, endpoints that cannot be reached are accepted while another one answers.',
  codes: [
    'EXTERNAL_ETCD_UNREACHABLE',
    'EXTERNAL_ETCD_TLS_FAILED',
    'EXTERNAL_ETCD_UNSUITABLE',
    'EXTERNAL_ETCD_UNHEALTHY',
    'EXTERNAL_ETCD_FORBIDDEN',
    'EXTERNAL_ETCD_SLOW',
    'EXTERNAL_ETCD_DIVIDED',
    'EXTERNAL_ETCD_IN_USE',
    'EXTERNAL_ETCD_REPLACED',
  ],
  options: {
    // etcd warns of what takes longer than 100 ms (--warning-apply-duration); this has the network in it. 2 s is what the
    // API server waits for etcd before it is not ready (--etcd-readycheck-timeout). Without a default: digests stay.
    externalEtcdLatencyMs: z
      .int()
      .min(1)
      .max(2_000)
      .optional()
      .describe('Time in ms that a transaction of an external etcd may take; default 200'),
  },
  async load({ cluster, host, pki, clusterState }): Promise<Loaded | null> {
    const external = externalEtcd(cluster);
    if (!external || !host.roles.includes('control-plane')) return null;
    const { endpoints, prefix, credential } = external;
    const marker = await markerOf(cluster, pki);
    return {
      ...{ endpoints, prefix, marker, credential: credential.name },
      claimed: (await clusterState.get(CLAIMED)) === marker.id,
    };
  },
  probe: {
    script: `
${ASK}
credential=$1 range=$2 txn=$3 keys=$4 marker=$5 write=$6 compact=$7 times=$8
shift 8
for endpoint; do
  (
    ask version /version && ask health /health && ask keys "$range" "$keys" && ask marker "$range" "$marker" || exit 0
    for time in $times; do ask write "$txn" "$write" || exit 0; done
    ask compact "$txn" "$compact"
  ) &
done
wait`,
    args: ({ loaded: { credential, prefix, endpoints, claimed } }) => [
      credential,
      ...[CALLS.range, CALLS.txn, callBody(keysBelow(prefix)), callBody(oneKey(markerKey(prefix)))],
      ...[callBody(wouldWrite(edgesOf(prefix))), callBody(wouldWrite([COMPACT_KEY]))],
      // A build of a cluster that is there waits for it.
      ...[claimed ? '1' : '1 2 3', ...endpoints],
    ],
  },
  evaluate({ loaded, options }, rows) {
    const { endpoints, prefix, claimed } = loaded;
    const answers = readAnswers(rows);
    const views = endpoints.map((endpoint) => {
      const own = answers.filter((each) => each.endpoint === endpoint);
      return viewOf(endpoint, own, prefix);
    });
    const well = views.filter(({ problem }) => problem === null);
    const tolerated = (code: Code) => claimed && well.length > 0 && code === 'EXTERNAL_ETCD_UNREACHABLE';
    const found: Problem<Code>[] = views.flatMap(({ problem }) =>
      problem && !tolerated(problem.code) ? [problem] : [],
    );
    const ids = new Set(well.map(({ clusterId }) => clusterId));
    if (ids.size > 1) {
      found.push({
        code: 'EXTERNAL_ETCD_DIVIDED',
        message: `the endpoints belong to ${ids.size} etcd clusters`,
        evidence: well.map(({ endpoint, clusterId }) => `${endpoint}: cluster ${clusterId}`).join('\n'),
      });
    }
    const mostMs = options.externalEtcdLatencyMs ?? 200;
    for (const { endpoint, writeMs } of well) {
      if (writeMs === null || writeMs <= mostMs) continue;
      found.push({
        code: 'EXTERNAL_ETCD_SLOW',
        message: `a transaction at ${endpoint} takes ${writeMs} ms, at most ${mostMs} ms are accepted`,
        evidence: `${endpoint}: ${writeMs} ms, ${claimed ? '' : 'the shortest of three, '}without connection and TLS`,
      });
    }
    // Endpoints of one etcd say the same.
    const owners = [...new Map(well.map((view) => [view.clusterId, view])).values()];
    return joined([...found, ...owners.flatMap((view) => ownershipProblem(view, loaded))]);
  },
});
