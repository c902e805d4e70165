import { defineMatrixCase, type SpecDraft } from '../kit/case.ts';
import type { MatrixKit } from '../kit/kit.ts';

/** Rules of the user: SSH, and one that would close the kubelet if ours did not come first. */
const USERS = ['ufw allow 22/tcp', 'ufw deny 10250'];

const rules = async (kit: MatrixKit, host: string) => (await kit.onHost(host, 'ufw show added')).split('\n');

async function prepareHosts(kit: MatrixKit): Promise<void> {
  const script = `apt-get -q -y install --no-install-recommends ufw >/dev/null 2>&1 </dev/null
${USERS.map((rule) => `${rule} >/dev/null`).join('\n')}
ufw --force enable >/dev/null
# As after a boot.
systemctl start ufw.service`;
  await Promise.all(kit.bench.lab.hosts.map(({ name }) => kit.onHost(name, script)));
}

/** Each host opens the ports of its own roles to those that need them, before the rules of the user, which stay. */
async function onlyPortsOfRoles(kit: MatrixKit): Promise<void> {
  const [control, worker] = kit.cluster.spec.hosts;
  const find = async (host: string, pattern: RegExp, wanted = true) => {
    const found = await rules(kit, host);
    if (found.some((rule) => pattern.test(rule)) !== wanted)
      throw new Error(`${host} ${wanted ? 'has no' : 'has a'} rule like ${pattern}:\n${found.join('\n')}`);
  };
  await find(
    control!.name,
    new RegExp(`allow from ${worker!.address} to any port [0-9,]*6443[0-9,]* proto tcp comment 'kubewright: `),
  );
  await find(worker!.name, new RegExp(`allow from ${control!.address} to any port [0-9,]*10250[0-9,]* proto tcp`));
  await find(worker!.name, new RegExp(`allow from ${control!.address} to any port [0-9,]*8472[0-9,]* proto udp`));
  await find(worker!.name, /route allow from 10\.244\.0\.0\/16/);
  await find(worker!.name, /6443|2379/, false);
  for (const host of [control!, worker!]) {
    const added = await rules(kit, host.name);
    const firstOfUser = Math.min(...USERS.map((rule) => added.indexOf(rule)));
    if (firstOfUser < 0) throw new Error(`${host.name} lost a rule of the user:\n${added.join('\n')}`);
    const late = added.slice(firstOfUser).filter((rule) => rule.includes("'kubewright"));
    if (late.length > 0) throw new Error(`${host.name}: rules of ours after one of the user: ${late.join('; ')}`);
  }
}

/** The machine of the lab, from which kubectl asks: the first address of the network of its hosts. */
const machineOf = ({ hosts }: SpecDraft): string => hosts[0]!.address.replace(/\d+$/, '1/32');

/** Debian with ufw, as a user has it. */
export default defineMatrixCase({
  title: 'Debian hosts with ufw running, and a rule that would close the kubelet',
  hosts: { 'control-plane': 1, worker: 1 },
  prepareHosts,
  spec: (draft) => {
    draft.phases['prepare'] = { firewall: { apiFrom: [machineOf(draft)] } };
  },
  change: (draft) => {
    draft.phases['prepare'] = { firewall: { apiFrom: [machineOf(draft), '198.51.100.0/24'] } };
  },
  checks: [{ title: 'ufw opens the ports of each role, to its clients', run: onlyPortsOfRoles }],
});
