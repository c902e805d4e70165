import { POD_BRIDGE_REQUIREMENTS } from '../pod-bridge.ts';
import type { Requirements } from '../requires.ts';
import { backendFacts, type FlannelBackend } from './backends.ts';

/** flanneld keeps its rules with iptables. */
export const FLANNEL_PACKAGES = ['iptables'];

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
    features: [...POD_BRIDGE_REQUIREMENTS.features, ...features],
    modules: [...POD_BRIDGE_REQUIREMENTS.modules, ...modules],
    sysctls: POD_BRIDGE_REQUIREMENTS.sysctls,
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
