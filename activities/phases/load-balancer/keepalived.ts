import { BALANCER, SCRIPT_USER, WITHDRAWN } from './paths.ts';
import type { Server } from './topology.ts';

/** What one balancer knows of the address that it shares with others. */
export interface VirtualRouter {
  /** Of the host, for logs. */
  name: string;
  address: string;
  /** Interface that has the network of the address, and the one that reaches the other balancers. */
  link: string;
  peerLink: string;
  routerId: number;
  priority: number;
  /** Own address towards the other balancers, and theirs. */
  ownAddress: string;
  peers: readonly Server[];
  mode: 'unicast' | 'multicast';
  advertIntervalMs: number;
  preempt: boolean;
}

/** keepalived.conf of a balancer. Pure. */
export function keepalivedConf(router: VirtualRouter): string {
  const { name, address, link, routerId, priority, ownAddress, peers, mode, advertIntervalMs, preempt } = router;
  // Advertisements go by another interface than the address has: by addresses alone.
  const apart = router.peerLink !== link && mode === 'unicast';
  const unicast = [
    `    unicast_src_ip ${ownAddress}`,
    '    unicast_peer {',
    ...peers.map((peer) => `        ${peer.address}`),
    '    }',
  ];
  return [
    '# Written by Kubewright.',
    'global_defs {',
    `    router_id ${name}`,
    '    vrrp_version 3',
    '    enable_script_security',
    `    script_user ${SCRIPT_USER}`,
    '}',
    '',
    '# Not 0: the balancer stops, or has stopped. Its unit writes it; the address leaves before the last connection ends.',
    'track_file withdrawn {',
    `    file "${WITHDRAWN}"`,
    '    weight 0',
    '    init_file 0',
    '}',
    '',
    '# Fails when this balancer reaches no API server, and another balancer does.',
    'vrrp_script serves {',
    `    script "${BALANCER} serves"`,
    '    interval 1',
    '    timeout 3',
    '    fall 2',
    '    rise 1',
    '}',
    '',
    'vrrp_instance kubernetes {',
    '    state BACKUP',
    `    interface ${apart ? router.peerLink : link}`,
    `    virtual_router_id ${routerId}`,
    `    priority ${priority}`,
    `    advert_int ${advertIntervalMs / 1000}`,
    // Each move costs clients their connections: the address stays where it is while that balancer serves.
    ...(preempt ? [] : ['    nopreempt']),
    '    garp_master_delay 1',
    '    garp_master_refresh 30',
    // Two holders met: the one that stays announces the address again.
    '    garp_lower_prio_delay 1',
    ...(mode === 'unicast' && peers.length > 0 ? unicast : []),
    '    virtual_ipaddress {',
    `        ${address}/32 dev ${link}`,
    '    }',
    ...(apart ? ['    track_interface {', `        ${link}`, '    }'] : []),
    '    track_file {',
    '        withdrawn weight 0',
    '    }',
    '    track_script {',
    '        serves',
    '    }',
    '}',
    '',
  ].join('\n');
}
