import { internalAddress } from '../../../contracts/cluster.ts';
import { KubewrightError } from '../../../contracts/errors.ts';
import { familyOf } from '../../host/family/families.ts';
import * as identities from '../../kube/identities.ts';
import { API_SERVER_PORT } from '../../kube/paths.ts';
import { leafFiles } from '../../kube/pki-files.ts';
import { directServers } from '../../kube/proxy.ts';
import { systemdUnit } from '../../render/unit.ts';
import { digestOfParts } from '../../resources/digest.ts';
import { directory } from '../../resources/directory.ts';
import { CANDIDATE, file } from '../../resources/file.ts';
import { packages } from '../../resources/packages.ts';
import { plainText, type Resource, secretText } from '../../resources/resource.ts';
import { service } from '../../resources/service.ts';
import { user } from '../../resources/user.ts';
import { controlPlaneEndpoint } from '../capabilities/control-plane-endpoint.ts';
import type { OfferView } from '../capability.ts';
import { linkOf } from '../links.ts';
import { definePhase, type PhaseContext } from '../phase.ts';
import { DRAIN_SECONDS, type Flavour } from './flavour.ts';
import { handOver } from './hand-over.ts';
import { haproxy } from './haproxy.ts';
import { balancerProbe, balancerUnits } from './health.ts';
import { balancerIssues } from './issues.ts';
import { keepalivedConf } from './keepalived.ts';
import { nginx } from './nginx.ts';
import { type BalancerOptions, type FlavourName, options } from './options.ts';
import * as paths from './paths.ts';
import { BALANCER_SCRIPT, HEALTH_SCRIPT } from './scripts.ts';
import * as topology from './topology.ts';
import * as units from './units.ts';
import { verifyBalancer } from './verify.ts';

const { BALANCER_DIR } = paths;
const SECRET = { mode: 0o600 };
const FLAVOURS: Readonly<Record<FlavourName, Flavour>> = { haproxy, nginx };

/** Balancers in front of the API servers, and an address that moves between them. */
export default definePhase({
  name: 'load-balancer',
  title: 'Load balancer of API servers',
  hosts: 'load-balancer',
  offers: [
    controlPlaneEndpoint.offer(({ cluster, options }: OfferView<BalancerOptions>) => ({
      // A spec without a host has one balancer: `specIssues` sees to it.
      host: topology.hostOf(cluster, options) ?? internalAddress(topology.balancersOf(cluster)[0]!),
      port: topology.portOf(cluster),
      forClients: true,
      certificateNames: topology.certificateNamesOf(cluster, options),
      drainSeconds: DRAIN_SECONDS,
    })),
  ],
  // Its configuration has the addresses of the API servers, and those of the other balancers.
  dependsOnAddressesOf: ['control-plane', 'load-balancer'],
  needs: [
    { phase: 'prepare', on: 'same-host' },
    { phase: 'pki', on: 'every-host' },
    // Its own test is that an API server answers through it.
    { phase: 'control-plane', on: 'any-host' },
  ],
  disrupts: 'load-balancer',
  // One that the others do not advertise to would take the address too.
  joinsLast: true,
  timeouts: { applyMs: 10 * 60_000, verifyMs: 2 * 60_000 },
  expectedMs: 10_000,
  keepsRunning: balancerUnits,
  healthProbe: balancerProbe,
  options,
  guarded: [{ option: 'keepalived' }],
  specIssues: balancerIssues,
  folders: () => [{ path: BALANCER_DIR }],
  requires: ({ cluster, options }) => {
    const flavour = FLAVOURS[options.flavour];
    const address = topology.virtualAddress(cluster, options);
    const port = topology.portOf(cluster);
    return {
      deferredPackages: packagesOf(flavour, address !== null),
      selinux: { booleans: flavour.selinux },
      ports: [
        {
          ...{
            protocol: 'tcp',
            port,
            what: flavour.name,
            holder: flavour.program,
            from: ['all', 'pods', 'api-clients'],
          },
          setting: 'spec.controlPlane.endpoint.port',
          alsoHeldBy: others(flavour).map(({ program }) => program),
        },
      ],
      ...(address === null
        ? {}
        : {
            protocols: [{ protocol: 'vrrp', what: 'keepalived', from: ['load-balancer'] }],
            virtualAddresses: [
              {
                address,
                link: options.keepalived.interface ?? null,
                routerId: topology.routerIdOf(cluster, address, options),
                holders: topology.balancersOf(cluster).map(internalAddress),
                advertSeconds: options.keepalived.advertIntervalMs / 1000,
                config: paths.KEEPALIVED_CONFIG,
                unit: 'keepalived.service',
                what: 'the load balancers',
              },
            ],
          }),
    };
  },
  resources: async (context) => {
    const { cluster, options } = context;
    const flavour = FLAVOURS[options.flavour];
    const address = topology.virtualAddress(cluster, options);
    const { files, reloadOn } = await certificates(context);
    const config = await configuration(context, flavour);
    return [
      directory(BALANCER_DIR),
      ...files,
      file(paths.SETTINGS, settings(context, address !== null)),
      file(paths.BALANCER, BALANCER_SCRIPT, { mode: 0o755 }),
      // Before the packages: the distribution starts its units as soon as they are installed.
      ...[flavour.unit, ...(address === null ? [] : ['keepalived'])].map((unit) =>
        file(`/etc/systemd/system/${unit}.service.d/10-kubewright.conf`, units.ONLY_CONFIGURED),
      ),
      packages(packagesOf(flavour, address !== null), directServers(cluster), { fills: flavour.fills }),
      file(flavour.configFile, config.text, { mode: 0o640, check: flavour.check }),
      file(paths.WANTED, `${config.digest}\n`),
      // They have the port until then.
      ...others(flavour).map(({ unit }) => service(unit, { running: false, enabled: false })),
      service(flavour.unit, {
        dropIns: { 'kubewright.conf': systemdUnit(units.balancerDropIn(flavour, options)) },
        restartOn: [flavour.configFile, paths.WANTED, ...reloadOn],
        reload: true,
        fills: flavour.fills,
      }),
      ...(flavour.name === 'nginx' ? healthOfServers(context) : []),
      ...(address === null ? [] : virtualRouter(context, address, flavour)),
    ];
  },
  hooks: { handOver },
  verify: verifyBalancer,
});

const others = ({ name }: Flavour) => Object.values(FLAVOURS).filter((each) => each.name !== name);

const packagesOf = ({ packages }: Flavour, keepalived: boolean): string[] => [
  ...packages,
  ...(keepalived ? ['keepalived'] : []),
];

/** The balancers that could take the address. */
const othersOf = ({ cluster, host }: PhaseContext<BalancerOptions>) =>
  topology
    .balancersOf(cluster)
    .filter(({ name }) => name !== host.name)
    .map((each) => ({ name: each.name, address: internalAddress(each) }));

/** Other balancers that are asked, when this one does not serve, whether they do. */
const MAX_ASKED = 3;

/** What the script `balancer` reads. */
function settings(context: PhaseContext<BalancerOptions>, shares: boolean): string {
  const others = shares ? othersOf(context).slice(0, MAX_ASKED) : [];
  const { flavour } = context.options;
  return `flavour=${flavour}\nport=${topology.portOf(context.cluster)}\nothers='${others.map(({ address }) => address).join(' ')}'\n`;
}

/** The authority of the API servers, and a client that may read /readyz and nothing else. */
async function certificates({ host, pki }: PhaseContext<BalancerOptions>) {
  const leaf = await pki.leaf(identities.healthClient(host));
  const client = await leafFiles(pki, identities.healthClient(host), paths.HEALTH_CLIENT);
  const pem = secretText(`${leaf.cert.trimEnd()}\n${plainText(leaf.key)}`);
  const files: Resource[] = [
    file(paths.CA, await pki.ca('kubernetes')),
    ...client.resources,
    file(paths.HEALTH_PEM, pem, SECRET),
  ];
  return { files, reloadOn: [paths.CA, paths.HEALTH_PEM] };
}

/** The configuration, which also says by its digest what it and its certificates are. */
async function configuration(context: PhaseContext<BalancerOptions>, flavour: Flavour) {
  const { cluster, host, options, pki, facts } = context;
  const render = (digest: string) =>
    flavour.render({
      port: topology.portOf(cluster),
      servers: topology.apiServersOf(cluster),
      serverPort: API_SERVER_PORT,
      maxConnections: options.maxConnections,
      keepConnectionsSeconds: options.keepConnectionsSeconds,
      family: familyOf(facts),
      digest,
    });
  const { ca, cert } = await pki.leaf(identities.healthClient(host));
  const digest = digestOfParts([render(''), ca, cert]).slice(0, 32);
  return { digest, text: render(digest) };
}

/** The daemon that tests the API servers for a balancer that only learns from failed connections. */
function healthOfServers({ cluster }: PhaseContext<BalancerOptions>): Resource[] {
  const servers = topology.apiServersOf(cluster).map(({ name, address }) => `${name}=${address}`);
  const client = paths.HEALTH_CLIENT;
  return [
    file(paths.HEALTH, HEALTH_SCRIPT, { mode: 0o755 }),
    service(paths.HEALTH_UNIT, {
      unit: units.healthUnit([
        ...[paths.HEALTH, String(topology.portOf(cluster)), paths.CA, `${client}.crt`, `${client}.key`],
        ...servers,
      ]),
      restartOn: [paths.HEALTH],
    }),
  ];
}

function virtualRouter(context: PhaseContext<BalancerOptions>, address: string, flavour: Flavour): Resource[] {
  const { cluster, host, options, facts } = context;
  const { keepalived } = options;
  const ownAddress = internalAddress(host);
  const link = keepalived.interface ?? linkOf(facts.networks ?? [], address);
  if (link === undefined) {
    const has = (facts.networks ?? []).map((each) => `${each.link} ${each.address}/${each.bits}`).join(', ');
    throw new KubewrightError('VIP_OUTSIDE_SUBNET', `${address} lies in no network of ${host.name}`, {
      host: host.name,
      evidence: `ip -4 addr: ${has || 'no addresses'}`,
    });
  }
  const peers = othersOf(context);
  const conf = keepalivedConf({
    ...{ name: host.name, address, link, ownAddress, peers },
    peerLink: linkOf(facts.networks ?? [], ownAddress) ?? link,
    routerId: topology.routerIdOf(cluster, address, options),
    priority: topology.priorityOf(cluster, host),
    ...{ mode: keepalived.mode, advertIntervalMs: keepalived.advertIntervalMs, preempt: keepalived.preempt },
  });
  return [
    user(paths.SCRIPT_USER),
    file(paths.KEEPALIVED_CONFIG, conf, {
      mode: 0o640,
      check: [paths.BALANCER, 'keepalived', CANDIDATE],
    }),
    service('keepalived', {
      dropIns: { 'kubewright.conf': systemdUnit(units.keepalivedDropIn(flavour)) },
      restartOn: [paths.KEEPALIVED_CONFIG],
      reload: true,
    }),
  ];
}
