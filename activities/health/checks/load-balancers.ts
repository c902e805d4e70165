import { hostsWithRole } from '../../../contracts/cluster.ts';
import type { HealthReason } from '../../../contracts/health.ts';
import { defineHealthCheck, rowsOf } from '../view.ts';

/** What each balancer says of the API servers, and which of them hold the virtual address. */
export default defineHealthCheck(15, ({ cluster, rows, hosts, out }) => {
  const wanted = hostsWithRole(cluster, 'load-balancer').filter(({ name }) => !out.has(name)).length;
  const balancers = hosts.filter(({ host }) => host.roles.includes('load-balancer') && !out.has(host.name));
  const ready = new Set(rowsOf(rows, 'readyz').flatMap(([server = '', answer]) => (answer === 'ok' ? [server] : [])));
  const servers = balancers.flatMap((view): HealthReason[] =>
    rowsOf(view.rows, 'balancer').flatMap(([server = '', state = '']): HealthReason[] => {
      // One that is not ready has a reason of its own.
      if (state === 'ready' || !ready.has(server)) return [];
      const { name } = view.host;
      return [
        {
          code: 'BALANCER_SKIPS_SERVER',
          subject: `load balancer ${name}`,
          reason: `the load balancer ${name} sends nothing to the API server of ${server}, which is ready`,
          evidence: `state of ${server} on ${name}: ${state}`,
        },
      ];
    }),
  );
  const said = balancers.flatMap(({ host, rows: own }) =>
    rowsOf(own, 'virtual-address').map(([address = '', state = '']) => ({ name: host.name, address, state })),
  );
  const addresses = [...new Set(said.map(({ address }) => address))];
  return [...servers, ...addresses.flatMap((address) => holdersReason(address, said, wanted))];
});

/** A virtual address has one holder. None is a fault only when every one of the `balancers` of the cluster was asked. */
function holdersReason(
  address: string,
  said: readonly { name: string; address: string; state: string }[],
  balancers: number,
): HealthReason[] {
  const asked = said.filter((each) => each.address === address);
  const holders = asked.filter(({ state }) => state === 'held').map(({ name }) => name);
  if (holders.length === 1 || (holders.length === 0 && asked.length < balancers)) return [];
  const evidence = asked.map(({ name, state }) => `${name}: ${state}`).join(', ');
  const subject = `address ${address}`;
  if (holders.length === 0)
    return [{ code: 'VIRTUAL_ADDRESS_LOST', subject, reason: `no load balancer holds ${address}`, evidence }];
  const reason = `${holders.join(' and ')} hold ${address} at the same time`;
  return [{ code: 'VIRTUAL_ADDRESS_TWICE', subject, reason, evidence }];
}
