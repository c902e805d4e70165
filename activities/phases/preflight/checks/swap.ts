import { isContainer } from '../../../kube/container-host.ts';
import { defineCheck } from '../check.ts';

/** What each kind of row means, in a sentence. */
const COMES_BACK: Readonly<Record<string, string>> = {
  line: 'a script of the administrator switches swap on',
  waagent: "Azure's agent switches swap on at every boot",
};

/**
 * Swap that phase prepare cannot switch off for good: what it can (swap in use, /etc/fstab, units, zram-generator) is no
 * problem. cloud-init writes /etc/fstab once, with the machine's first boot.
 */
export default defineCheck({
  name: 'swap',
  about: 'memory',
  title: 'Swap',
  inspects:
    'On hosts with a phase that requires swap to be off, such as a kubelet: /etc/rc.local, /etc/crontab, /etc/cron.d and root’s crontab for swapon, /etc/waagent.conf, and in a container the swap of its machine (/proc/swaps). The phase prepare itself disables swap in use, /etc/fstab, swap units, zram and services that enable swap.',
  codes: ['SWAP_STAYS'],
  probe: {
    script: `
grep -nHEs '^[^#]*(^|[[:space:]/;&])swapon([[:space:];&]|$)' /etc/rc.local /etc/rc.d/rc.local /etc/crontab /etc/cron.d/* /var/spool/cron/crontabs/root /var/spool/cron/root |
  head -n 20 | while IFS=: read -r file line text; do say line "$file, line $line" "$text"; done
grep -nHEis '^[[:space:]]*ResourceDisk\\.EnableSwap[[:space:]]*=[[:space:]]*y' /etc/waagent.conf |
  while IFS=: read -r file line text; do say waagent "$file, line $line" "$text"; done
sed 1d /proc/swaps 2>/dev/null | while read -r device _; do say active "$device"; done`,
    args: ({ requirements }) => (requirements.some(({ swapOff }) => swapOff) ? [] : null),
  },
  evaluate({ facts }, rows) {
    const found = rows.flatMap(([kind = '', place = '', text = '']) => {
      const why = COMES_BACK[kind];
      if (why === undefined) return [];
      return [
        { code: 'SWAP_STAYS' as const, message: `swap comes back: ${why}`, evidence: `${place}: ${text.trim()}` },
      ];
    });
    const active = rows.flatMap(([kind, device]) => (kind === 'active' && device ? [device] : []));
    if (!isContainer(facts) || active.length === 0) return found;
    const evidence = `/proc/swaps: ${active.join(', ')}; a container cannot switch off the swap of its machine`;
    return [...found, { code: 'SWAP_STAYS' as const, message: 'the swap of the machine is on', evidence }];
  },
});
