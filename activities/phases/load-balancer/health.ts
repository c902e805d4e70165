import type { ClusterSpec } from '../../../contracts/cluster.ts';
import type { HealthProbe, KeepsRunning } from '../phase.ts';
import type { BalancerOptions } from './options.ts';
import { BALANCER, BALANCER_DIR, HEALTH_UNIT } from './paths.ts';
import { virtualAddress } from './topology.ts';

/** The units of the flavour, and keepalived where an address moves. Pure. */
export const balancerUnits = ({
  cluster,
  options,
}: {
  cluster: ClusterSpec;
  options: BalancerOptions;
}): KeepsRunning => ({
  units: [
    options.flavour,
    ...(options.flavour === 'nginx' ? [HEALTH_UNIT] : []),
    ...(virtualAddress(cluster, options) === null ? [] : ['keepalived']),
  ],
});

/**
 * `balancer <API server> <ready | draining | down>` for each one that the balancer knows, and `virtual-address <address>
 * <held | absent>`. Nothing on a host on which nothing was built. Pure.
 */
export const balancerProbe = ({
  cluster,
  options,
}: {
  cluster: ClusterSpec;
  options: BalancerOptions;
}): HealthProbe => ({
  certificates: [`${BALANCER_DIR}/*.crt`],
  script: { text: PROBE, args: [virtualAddress(cluster, options) ?? ''] },
});

const PROBE = `[ -x ${BALANCER} ] || exit 0
timeout 3 ${BALANCER} states | while read -r server state; do say balancer "$server" "$state"; done
if [ -n "$1" ]; then
  if [ -n "$(ip -4 -oneline address show to "$1/32")" ]; then say virtual-address "$1" held; else say virtual-address "$1" absent; fi
fi`;
