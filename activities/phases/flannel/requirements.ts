import type { RequiredFeature, Requirements } from '../requires.ts';
import { backendFacts, type FlannelBackend } from './backends.ts';

/** flanneld keeps its rules with iptables. */
export const FLANNEL_PACKAGES = ['iptables'];

/** Pods of one host are behind a bridge: their packets to each other must pass the rules of services. */
const BRIDGE: RequiredFeature = {
  name: 'br_netfilter',
  symbol: 'br_netfilter_enable',
  sign: '/proc/sys/net/bridge/bridge-nf-call-iptables',
  load: true,
  reason: 'services between pods of one host',
};

/** What flanneld and the CNI plugins bridge and portmap need of a host. Pure. */
export function flannelRequirements(options: {
  backend: FlannelBackend;
  vxlanPort: number;
  wireguardPort: number;
}): Requirements {
  const { backend } = options;
  const { features = [], modules = [], port, portSetting, sharesLink, onlyOn } = backendFacts(backend);
  const setting = portSetting === undefined ? {} : { setting: portSetting };
  return {
    packages: FLANNEL_PACKAGES,
    features: [BRIDGE, ...features],
    modules: [{ name: 'bridge' }, { name: 'veth' }, ...modules],
    sysctls: {
      'net.bridge.bridge-nf-call-iptables': { value: '1' },
      // Loose: answers may come back through another interface than the overlay's. Only strict filtering (1) drops them.
      'net.ipv4.conf.all.rp_filter': { value: '2', alsoGood: ['0'] },
    },
    ...(port
      ? { ports: [{ protocol: 'udp', port: port(options), what: 'flannel', from: ['nodes'], ...setting }] }
      : {}),
    // Without an overlay, answers and NodePort traffic of other nodes carry their own addresses.
    forwards: sharesLink ? ['nodes'] : [],
    ownRules: { chains: ['CNI-'], tables: ['flannel-*'], acceptsForwarded: true },
    ...(sharesLink ? { sharesLink: { what: `flannel backend ${backend}` } } : {}),
    ...(onlyOn ? { machines: { only: onlyOn, what: `flannel backend ${backend}` } } : {}),
  };
}
