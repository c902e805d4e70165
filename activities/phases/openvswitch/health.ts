import type { HealthProbe, KeepsRunning } from '../phase.ts';
import { CLIENT, MESH, MESH_UNIT } from './paths.ts';

/** Both families have these two units, under other names of the whole. */
export const MESH_UNITS: KeepsRunning = { units: ['ovsdb-server', 'ovs-vswitchd', MESH_UNIT] };

/** `tunnel <node> <up | missing | failed>` for each other node that the host knows. Nothing where nothing was built. */
export const meshProbe = (): HealthProbe => ({
  certificates: [`${CLIENT}.crt`],
  script: {
    text: `[ -x ${MESH} ] || exit 0
timeout 5 ${MESH} state | while read -r word node state; do [ "$word" != tunnel ] || say tunnel "$node" "$state"; done
say tunnels end`,
    args: [],
  },
});
