import { expect, it } from 'vitest';
import { Field } from './field.ts';

const field = new Field();

const forwarding = async (host: string) => (await field.on(host, 'cat /proc/sys/net/ipv4/ip_forward')).trim();

it('a hardening file that sorts before ours does not win over it, and is named when a setting was changed', async () => {
  const hardening = '/etc/sysctl.d/99-hardening.conf';
  const spec = field.spec('field-sysctl');
  await field.prepared(
    'cp-1',
    `printf '# Hardened.\\nnet.ipv4.ip_forward = 0\\nnet.ipv4.conf.default.forwarding = 0\\n' >${hardening}
     systemctl restart systemd-sysctl`,
    `rm -f ${hardening}`,
    async () => {
      try {
        const before = (await field.dryRun(spec)).hosts.flatMap(({ changes }) => changes);
        const prepared = before.find(({ resource }) => resource === 'sysctls:/etc/sysctl.d/zz-kubewright.conf');
        expect(prepared?.detail).toContain(`net.ipv4.ip_forward 0 → 1 (${hardening}:2 says 0)`);
        expect((await field.phases(spec, ['prepare'])).state).toBe('succeeded');
        // What a reboot, a package of systemd or an administrator does.
        await field.on('cp-1', 'systemctl restart systemd-sysctl');
        expect(await forwarding('cp-1')).toBe('1');
        expect((await field.on('cp-1', 'cat /proc/sys/net/ipv4/conf/default/forwarding')).trim()).toBe('1');
        // The value in force counts, not the file.
        await field.on('cp-1', 'echo 0 >/proc/sys/net/ipv4/ip_forward');
        const drift = (await field.dryRun(spec)).hosts.flatMap(({ changes }) => changes);
        expect(drift.find(({ resource }) => resource.startsWith('sysctls:'))?.detail).toContain('ip_forward 0 → 1');
      } finally {
        await field.remove('field-sysctl');
      }
      expect(await field.on('cp-1', 'ls /etc/sysctl.d')).not.toContain('kubewright');
    },
  );
});

it.each([
  ['what sysctl --system applies last', '/etc/sysctl.conf', 'net.ipv4.ip_forward=0', 'SYSCTL_OVERRIDDEN'],
  ['a file that sorts after ours', '/etc/sysctl.d/zzz-last.conf', 'net/ipv4/ip_forward = 0', 'SYSCTL_OVERRIDDEN'],
  [
    'a module that is not to be loaded',
    '/etc/modprobe.d/cis.conf',
    'install br_netfilter /bin/true',
    'KERNEL_MODULE_BLOCKED',
  ],
  ['a module on the list of the denied', '/etc/modprobe.d/cis.conf', 'blacklist overlay', 'KERNEL_MODULE_BLOCKED'],
])('%s is named with file and line', async (_what, file, line, code) => {
  await field.prepared(
    'cp-1',
    `[ ! -e ${file} ] || cp -a ${file} /root/theirs; printf '# Hardened.\\n%s\\n' '${line}' >${file}`,
    `rm -f ${file}; [ ! -e /root/theirs ] || mv /root/theirs ${file}`,
    async () => {
      const { error } = await field.refused(field.spec('field-sysctl'));
      expect(error.code).toBe(code);
      expect(error.evidence).toContain(`${file}, line 2: `);
    },
  );
});
