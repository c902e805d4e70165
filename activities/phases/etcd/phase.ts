import { internalAddress } from '../../../contracts/cluster.ts';
import { CURL } from '../../host/direct.ts';
import { ETCD_FIELD } from '../../kube/etcd-state.ts';
import { etcdHealthClient, etcdMember as memberIdentity } from '../../kube/identities.ts';
import { installAll } from '../../kube/install.ts';
import { internalIpv4 } from '../../kube/network.ts';
import { BIN_DIR, ETCD_CLIENT_PORT, ETCD_DIR, ETCD_PEER_PORT, ETCD_PKI } from '../../kube/paths.ts';
import { leafFiles } from '../../kube/pki-files.ts';
import { REFUSES_STRANGERS } from '../../kube/refuses-strangers.ts';
import { TLS_CIPHER_SUITES } from '../../kube/tls.ts';
import { daemonUnit } from '../../render/unit.ts';
import { digestOfParts, short } from '../../resources/digest.ts';
import { directory } from '../../resources/directory.ts';
import { file } from '../../resources/file.ts';
import { service } from '../../resources/service.ts';
import { user } from '../../resources/user.ts';
import { DEFAULT_PREFIX, kubernetesStore } from '../capabilities/kubernetes-store.ts';
import type { OfferView } from '../capability.ts';
import { definePhase, type PhaseContext } from '../phase.ts';
import { mixedAddresses } from './address-kinds.ts';
import { ETCD } from './artifacts.ts';
import { beforeStop } from './before-stop.ts';
import {
  bootstrapCertificate,
  bootstrapDiscovery,
  bootstrapNames,
  bootstrapRecords,
  etcdPeer,
  peerName,
} from './bootstrap.ts';
import { leaveDiscovery } from './discovery.ts';
import { discoveryIssues } from './discovery-option.ts';
import { enterOf } from './enter.ts';
import { etcdEnvironment } from './environment.ts';
import { quorumLost, WITHOUT_MAJORITY } from './majority.ts';
import { etcdMember } from './member-resource.ts';
import type { EtcdSite } from './observe.ts';
import { DATA_DIR_SETTING, type EtcdOptions as Options, etcdOptions as options } from './options.ts';
import { promoteMember } from './promote-member.ts';
import { memberIssues, memberUrls } from './servers.ts';
import { askMembers, turnOf } from './turn.ts';

const USER = { owner: 'etcd', group: 'etcd' };
const ENVIRONMENT = `${ETCD_DIR}/etcd.env`;
/** Read by a member without data only, so a change of it restarts no member. */
const BOOTSTRAP = `${ETCD_DIR}/bootstrap.env`;
/** The note that says that this cluster's etcd has formed, and from which founding. */
const FORMED = 'etcd/formed';
const CA = `${ETCD_PKI}/ca.crt`;
const PORT = { protocol: 'tcp', what: 'etcd', holder: `${BIN_DIR}/etcd` } as const;

const artifacts = ({ version }: Options) => [{ artifact: ETCD, version }];

/** A quorum of etcd members, one per etcd host, talking mutual TLS to each other and to the API servers. */
export default definePhase({
  name: 'etcd',
  title: 'etcd quorum',
  hosts: 'etcd',
  offers: [
    kubernetesStore.offer(({ cluster, host }: OfferView<Options>) => ({
      servers: memberUrls(cluster, host),
      prefix: DEFAULT_PREFIX,
      unit: 'etcd.service',
      clientCertificate: null,
    })),
  ],
  needs: [
    { phase: 'prepare', on: 'same-host' },
    { phase: 'pki', on: 'every-host' },
  ],
  // A new quorum forms only when its members start side by side.
  rollout: 'together',
  disrupts: 'etcd',
  timeouts: { applyMs: 5 * 60_000, verifyMs: 3 * 60_000 },
  expectedMs: 6_000,
  keepsRunning: { units: ['etcd'] },
  options,
  requires: ({ cluster, options }) => ({
    artifacts: artifacts(options),
    etcdData: { folder: options.dataDir, writtenBy: 'etcd.service', setting: DATA_DIR_SETTING },
    srvRecords: bootstrapRecords(cluster, options.bootstrap, options.dataDir),
    ...bootstrapDiscovery(cluster, options, FORMED),
    ports: [
      { ...PORT, port: ETCD_CLIENT_PORT, from: ['etcd', 'control-plane'] },
      { ...PORT, port: ETCD_PEER_PORT, from: ['etcd'] },
    ],
  }),
  specIssues: ({ cluster, options: { bootstrap, version } }) => [
    ...memberIssues(cluster),
    ...(bootstrap?.mode === 'discovery' ? discoveryIssues(bootstrap, version) : []),
  ],
  newSpecIssues: ({ cluster, before }) => mixedAddresses(cluster, before),
  clientCertificates: ({ bootstrap }) => {
    const use = bootstrapCertificate(bootstrap);
    return use ? [{ ...use, option: ['bootstrap', 'credential'] }] : [];
  },
  // Who answers there has all Secrets of the cluster.
  guarded: ['endpoints', 'credential', 'prefix'].map((option) => ({ option: `bootstrap.${option}` })),
  upgrades: [{ component: 'etcd', option: 'version' }],
  folders: ({ dataDir }) => [{ path: dataDir, option: ['dataDir'] }, { path: ETCD_DIR }],
  resources: async (context) => {
    const { host, peers, options, pki } = context;
    const names = bootstrapNames(host, options.bootstrap);
    const server = await leafFiles(pki, memberIdentity(host, 'server', names), `${ETCD_PKI}/server`, USER);
    const peer = await leafFiles(pki, memberIdentity(host, 'peer', names), `${ETCD_PKI}/peer`, USER);
    const health = await leafFiles(pki, etcdHealthClient(host), `${ETCD_PKI}/health`);
    const environment = etcdEnvironment({
      name: host.name,
      address: internalAddress(host),
      peerName: peerName(host, options.bootstrap),
      listen: internalIpv4(host) ?? '0.0.0.0',
      dataDir: options.dataDir,
      clientPort: ETCD_CLIENT_PORT,
      peerPort: ETCD_PEER_PORT,
      quotaBytes: options.quotaBytes,
      heartbeatMs: options.heartbeatMs,
      electionMs: options.electionMs,
      cipherSuites: TLS_CIPHER_SUITES,
      ca: CA,
      server,
      peer,
    });
    return [
      user(USER.owner, { home: options.dataDir }),
      directory(options.dataDir, { mode: 0o700, ...USER }),
      directory(ETCD_DIR),
      directory(ETCD_PKI),
      ...(await installAll(context, artifacts(options))),
      file(CA, await pki.ca('etcd')),
      ...server.resources,
      ...peer.resources,
      ...health.resources,
      file(ENVIRONMENT, environment),
      etcdMember(siteOf(context), {
        token: await foundingToken(context),
        formed: await context.clusterState.get(FORMED),
        bootstrap: options.bootstrap,
        enter: await enterOf(context, options.bootstrap),
      }),
      service('etcd', {
        unit: unit(options),
        // etcd reads its own certificates anew for every connection, but not the CA.
        restartOn: [`${BIN_DIR}/etcd`, ENVIRONMENT, CA, `etcd-member:${host.name}`],
        // The second where the first is a disk of its own, which is never quite empty.
        fills: [options.dataDir, `${options.dataDir}/member`],
        // A member of several is ready only when a majority is: waiting here would be waiting for other hosts' tasks.
        wait: peers.length === 1,
        beforeStop: beforeStop(siteOf(context), context.window),
      }),
    ];
  },
  hooks: {
    turn: async (run) => turnOf(await askMembers(run.remote, siteOf(run)), run.window?.excluded ?? []),
    async after(run) {
      if (run.verified) return [];
      const { host, remote, fail, unitJournal } = run;
      const { did, missing } = await promoteMember(remote, siteOf(run));
      if (missing !== null) {
        const evidence = `${missing}\n${await unitJournal('etcd.service', 15)}`;
        fail('ETCD_UNHEALTHY', `etcd on ${host.name} has not become a full member`, evidence);
      }
      if (run.options.bootstrap?.mode === 'discovery' && (await leaveDiscovery(remote)))
        did.push('client certificate for discovery removed');
      return did.map((detail) => ({ resource: `etcd-member:${host.name}`, action: 'run', detail }));
    },
  },
  explains: {
    codes: WITHOUT_MAJORITY,
    cause: async (look) => quorumLost(look, (await look.clusterState.get(FORMED)) !== null),
  },
  async verify(run) {
    const { host, remote, fail, unitJournal, clusterState } = run;
    const { self, others, tls } = siteOf(run);
    const urls = [self, ...others].map(({ clientUrl }) => clientUrl);
    const { stdout } = await remote.script(CHECK, [tls.ca, tls.cert, tls.key, ...urls], { timeoutMs: 150_000 });
    if (!stdout.endsWith('ready\n')) {
      fail(
        'ETCD_UNHEALTHY',
        `etcd on ${host.name} is not healthy`,
        `${stdout}\n${await unitJournal('etcd.service', 15)}`,
      );
    }
    if ((await clusterState.get(FORMED)) === null) await clusterState.set(FORMED, await foundingToken(run));
  },
});

/** This host's member and the others, by the spec. */
function siteOf({ host, peers, options: { bootstrap, dataDir } }: PhaseContext<Options>): EtcdSite {
  const tls = { ca: CA, cert: `${ETCD_PKI}/health.crt`, key: `${ETCD_PKI}/health.key` };
  const others = peers.filter(({ name }) => name !== host.name).map((each) => etcdPeer(each, bootstrap));
  return { self: etcdPeer(host, bootstrap), others, dataDir, bootstrapFile: BOOTSTRAP, tls };
}

/**
 * Two foundings never share a token, so members of an earlier life of the cluster cannot mix with this one's: it is made
 * of the cluster's name, its own authority, and the founders.
 */
async function foundingToken({ cluster, peers, pki, options: { bootstrap } }: PhaseContext<Options>): Promise<string> {
  // etcd takes the URL for its token, and every founding has one of its own.
  if (bootstrap?.mode === 'discovery' && bootstrap.url !== undefined) return bootstrap.url;
  const founders = peers.map((each) => `${each.name}=${internalAddress(each)}`).sort();
  // A founding that begins again with another discovery token is another one.
  const found = bootstrap?.mode === 'discovery' ? [`discovery ${bootstrap.token}`] : [];
  return `${cluster.metadata.name}-${short(digestOfParts([await pki.ca('etcd'), ...founders, ...found]))}`;
}

/**
 * Waits until the member that is to run does so (its start may still be under way, and the one before it answers until it has
 * stopped), for a linearizable read through it, which takes a majority, and until it has applied what the leader had applied by then;
 * then makes sure that it refuses a client without a certificate. Arguments: CA, certificate, key, its URL, those of the others.
 */
const CHECK = `${REFUSES_STRANGERS}${ETCD_FIELD}
ca=$1 cert=$2 key=$3 own=$4
shift 3
status() { ${CURL} -s -m 3 --cacert "$ca" --cert "$cert" --key "$key" -d '{}' "$1/v3/maintenance/status" || :; }
runs() {
  says=$(systemctl show -p ActiveState -p Job -- etcd.service 2>&1 | tr '\\n' ' ')
  case $says in *ActiveState=active*) ;; *) return 1 ;; esac
  case $says in *Job=[1-9]*) return 1 ;; esac
}
reads() {
  says=$(/usr/local/bin/etcdctl --endpoints "$own" --cacert "$ca" --cert "$cert" --key "$key" --command-timeout 3s endpoint health 2>&1)
}
most=
caught_up() {
  if [ -z "$most" ]; then
    leader=$(etcd_field "$(status "$own")" leader)
    for url in "$@"; do
      said=$(status "$url")
      [ -z "$leader" ] || [ "$(etcd_field "$said" member_id)" != "$leader" ] || most=$(etcd_field "$said" raftAppliedIndex)
    done
  fi
  has=$(etcd_field "$(status "$own")" raftAppliedIndex)
  says="it has applied \${has:-none} of its log, the leader \${most:-an unknown part}"
  [ -n "$most" ] && [ "\${has:-0}" -ge "$most" ]
}
deadline=$(($(date +%s) + 90))
until runs && reads && caught_up "$@"; do
  [ "$(date +%s)" -lt "$deadline" ] || { printf '%s\\n' "$says"; exit 0; }
  sleep 0.1
done
refuses_strangers etcd 10 "$ca" "$own/health"
`;

function unit({ dataDir }: Options): string {
  return daemonUnit({
    description: 'etcd',
    documentation: 'https://etcd.io/docs/',
    exec: [`${BIN_DIR}/etcd`],
    service: {
      Type: 'notify',
      // Ready means a quorum; without one it must go on trying, not be killed by the clock.
      TimeoutStartSec: 'infinity',
      User: USER.owner,
      Group: USER.group,
      EnvironmentFile: [ENVIRONMENT, BOOTSTRAP],
      NoNewPrivileges: true,
      ProtectSystem: 'strict',
      ReadWritePaths: dataDir,
      ProtectHome: true,
      PrivateTmp: true,
    },
  });
}
