import { z } from 'zod';
import { isCleaned, meaningOf } from '../../../leftovers/found.ts';
import { LEFTOVERS, OURS } from '../../../leftovers/scripts.ts';
import { unitsOf } from '../../requires.ts';
import { defineCheck } from '../check.ts';

/** The option of this check; `clean` is what phase prepare does. */
export const leftoversOption = z
  .enum(['refuse', 'clean'])
  .default('refuse')
  .describe(
    'clean: phase prepare removes such network configurations and drop-ins (copies stay in the ledger), links, chains and tables. Data and processes of another cluster are never removed',
  );

export default defineCheck({
  name: 'leftovers',
  about: 'leftovers',
  title: 'Leftovers of other clusters',
  inspects:
    'On control planes and workers without a kubelet of Kubewright: network configurations in /etc/cni/net.d, links, chains of iptables and tables of nft of other clusters. On every host, in all folders of systemd: drop-ins that replace the command of a unit of Kubewright.',
  codes: ['LEFTOVERS_FOUND'],
  options: { leftovers: leftoversOption },
  probe: {
    script: `${OURS}\n${LEFTOVERS}`,
    args: ({ requirements }) => unitsOf(requirements),
  },
  evaluate: ({ options }, rows) =>
    rows
      .filter((row) => options.leftovers === 'refuse' || !isCleaned(row))
      .flatMap((row) => {
        const found = meaningOf(row);
        return found ? [{ code: 'LEFTOVERS_FOUND' as const, ...found }] : [];
      }),
});
