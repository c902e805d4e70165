import { keepEnd } from '../../../contracts/cut.ts';
import type { PhaseRun } from '../phase.ts';
import type { OpenvswitchOptions } from './options.ts';
import { CNI_CONFLIST, MESH, MESH_UNIT, POD_BRIDGE, TUNNEL_BRIDGE } from './paths.ts';

/** What hosts with `datapath: auto` found, by host: tunnels of both datapaths do not end at the same addresses. */
const FOUND = 'openvswitch/datapath/';

/** The bridges are there, pods get addresses, and Open vSwitch has a working port for every tunnel. */
export async function verifyMesh(run: PhaseRun<OpenvswitchOptions>): Promise<void> {
  const { host, remote, fail, unitJournal } = run;
  const { code, stdout, stderr } = await remote.script(CHECK, [], { timeoutMs: 90_000, okCodes: 'any' });
  if (code !== 0) {
    const journal = await unitJournal(`${MESH_UNIT}.service`, 12);
    fail('VERIFY_FAILED', `Open vSwitch gives pods on ${host.name} no network`, `${keepEnd(stderr, 2000)}\n${journal}`);
  }
  const datapath = /^datapath (kernel|userspace)$/m.exec(stdout)?.[1];
  if (datapath !== undefined && run.options.datapath === 'auto') await sameDatapath(run, datapath);
}

/** Where `auto` chose, all nodes chose the same. */
async function sameDatapath({ host, peers, clusterState, fail }: PhaseRun<OpenvswitchOptions>, datapath: string) {
  await clusterState.set(`${FOUND}${host.name}`, datapath);
  const found = await clusterState.list(FOUND);
  const others = peers.filter(({ name }) => (found.get(`${FOUND}${name}`) ?? datapath) !== datapath);
  if (others.length === 0) return;
  const names = others.map(({ name }) => name).join(', ');
  fail(
    'DATAPATHS_DIFFER',
    `${host.name} has the ${datapath} datapath of Open vSwitch, and ${names} another one: they do not reach each other`,
    [host, ...others]
      .map(({ name }) => `${name}: ${name === host.name ? datapath : found.get(`${FOUND}${name}`)}`)
      .join('\n'),
  );
}

const CHECK = `
tries=0
until [ -s ${CNI_CONFLIST} ] && [ -e /sys/class/net/${POD_BRIDGE}/brif/${TUNNEL_BRIDGE} ] && systemctl is-active --quiet ${MESH_UNIT}.service &&
  state=$(${MESH} state 2>&1) && [ -n "$state" ] && ! printf '%s\\n' "$state" | grep -Eq '^tunnel [^ ]* (missing|failed)$'; do
  tries=$((tries + 1))
  if [ "$tries" -ge 150 ]; then
    [ -s ${CNI_CONFLIST} ] || echo '${CNI_CONFLIST} is missing' >&2
    [ -e /sys/class/net/${POD_BRIDGE}/brif/${TUNNEL_BRIDGE} ] || echo 'the bridge ${TUNNEL_BRIDGE} is not in ${POD_BRIDGE}' >&2
    echo "${MESH_UNIT}.service is $(systemctl is-active ${MESH_UNIT}.service)" >&2
    printf '%s\\n' "\${state:-}" | grep -E ' (missing|failed)$' >&2
    ovs-vsctl --timeout=10 -f csv -d bare --no-headings --columns=name,error list Interface 2>&1 | grep -v ',$' >&2
    exit 1
  fi
  sleep 0.2
done
printf '%s\\n' "$state"
`;
