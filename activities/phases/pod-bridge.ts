import type { Requirements } from './requires.ts';

/**
 * What pods behind a Linux bridge need of a host, in every network whose links the CNI plugin `bridge` makes. The packets of pods to
 * each other must pass the rules of services, though they only pass the bridge.
 */
export const POD_BRIDGE_REQUIREMENTS = {
  features: [
    {
      name: 'br_netfilter',
      symbol: 'br_netfilter_enable',
      sign: '/proc/sys/net/bridge/bridge-nf-call-iptables',
      load: true,
      reason: 'services between pods of one host',
    },
  ],
  modules: [{ name: 'bridge' }, { name: 'veth' }],
  sysctls: {
    'net.bridge.bridge-nf-call-iptables': { value: '1' },
    // Loose: answers may come back through another interface than the overlay's. Only strict filtering (1) drops them.
    'net.ipv4.conf.all.rp_filter': { value: '2', alsoGood: ['0'] },
  },
} as const satisfies Requirements;
