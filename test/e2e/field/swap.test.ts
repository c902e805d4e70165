import { expect, it } from 'vitest';
import { Field } from './field.ts';

/** Swap that comes back. Hosts of a lab cannot swap, so it is shown by what would bring it back at the next boot. */
const field = new Field();
const MASKS = '/etc/systemd/system';

const changes = async (spec: ReturnType<Field['spec']>) =>
  (await field.dryRun(spec)).hosts.flatMap((host) => host.changes.filter(({ phase }) => phase === 'prepare'));
const masked = (unit: string) => field.on('cp-1', `readlink ${MASKS}/${unit} || :`);

/** As Debian's zram-tools, Fedora's zram-generator, Raspberry Pi OS and administrators have it. */
const PREPARE = `
printf '[Unit]\\nDescription=zram\\n[Service]\\nType=oneshot\\nRemainAfterExit=yes\\nExecStart=-/usr/sbin/zramswap start\\n[Install]\\nWantedBy=multi-user.target\\n' >/usr/lib/systemd/system/zramswap.service
printf '[zram0]\\nzram-size = ram / 2\\n' >/usr/lib/systemd/zram-generator.conf
printf '[Swap]\\nWhat=/swapfile\\n[Install]\\nWantedBy=swap.target\\n' >${MASKS}/swapfile.swap
printf '[Service]\\nType=oneshot\\nExecStart=/bin/sh -c "swapon /swapfile || true"\\n[Install]\\nWantedBy=multi-user.target\\n' >${MASKS}/my-memory.service
printf '[Service]\\nType=oneshot\\nExecStart=/sbin/swapoff -a\\n[Install]\\nWantedBy=multi-user.target\\n' >${MASKS}/no-swap.service
systemctl daemon-reload
systemctl enable --quiet zramswap.service my-memory.service no-swap.service
cp -a /etc/fstab /root/fstab 2>/dev/null || :
printf '/swapfile none swap sw 0 0\\n' >>/etc/fstab
`;
const UNDO = `
systemctl disable --quiet zramswap.service my-memory.service no-swap.service 2>/dev/null || :
rm -f /usr/lib/systemd/system/zramswap.service /usr/lib/systemd/zram-generator.conf ${MASKS}/swapfile.swap ${MASKS}/my-memory.service ${MASKS}/no-swap.service ${MASKS}/zramswap.service ${MASKS}/dev-zram0.swap ${MASKS}/dev-zram1.swap
rm -f /etc/fstab; [ ! -e /root/fstab ] || mv /root/fstab /etc/fstab
systemctl daemon-reload
`;
const UNITS = ['zramswap.service', 'dev-zram0.swap', 'swapfile.swap', 'my-memory.service'];

it('units, zram and /etc/fstab are switched off for good, drift is found, and a teardown puts all of it back', async () => {
  const spec = field.spec('field-swap');
  await field.prepared('cp-1', PREPARE, UNDO, async () => {
    const own = await field.on('cp-1', `cat ${MASKS}/swapfile.swap`);
    try {
      const planned = (await changes(spec)).map(({ detail }) => detail).join('\n');
      for (const unit of UNITS) expect(planned).toContain(`mask ${unit}, which brings swap back (`);
      expect(planned).toContain('(/usr/lib/systemd/zram-generator.conf)');
      expect(planned).toContain('1 lines of fstab');
      expect(planned).not.toContain('no-swap.service');
      expect((await field.phases(spec, ['prepare'])).state).toBe('succeeded');
      for (const unit of UNITS) expect((await masked(unit)).trim(), unit).toBe('/dev/null');
      expect(await field.on('cp-1', 'systemctl is-enabled zramswap.service || :')).toBe('masked\n');
      expect(await field.on('cp-1', 'cat /etc/fstab')).toContain('# kubewright: /swapfile none swap');

      // An administrator, or a package, brings some of it back; the rest stays as it is.
      await field.on(
        'cp-1',
        `systemctl --quiet unmask zramswap.service; printf '[zram1]\\n' >>/usr/lib/systemd/zram-generator.conf`,
      );
      const drift = (await changes(spec)).filter(({ resource }) => resource.startsWith('swap'));
      expect(drift.map(({ detail }) => detail.split(',')[0])).toEqual(['mask dev-zram1.swap', 'mask zramswap.service']);
    } finally {
      await field.remove('field-swap');
    }
    expect(await field.on('cp-1', `cat ${MASKS}/swapfile.swap`)).toBe(own);
    expect(await masked('dev-zram0.swap')).toBe('');
    expect(await field.on('cp-1', 'systemctl is-enabled my-memory.service')).toBe('enabled\n');
    expect(await field.on('cp-1', 'cat /etc/fstab')).toMatch(/^\/swapfile none swap/m);
  });
});

const LINES = {
  '/etc/rc.local': 'swapon /swapfile',
  '/etc/cron.d/swap': '@reboot root /sbin/swapon -a',
  '/etc/waagent.conf': 'ResourceDisk.EnableSwap=y',
};

it('files that switch swap on are named with their lines, and preflight stops the build', async () => {
  const write = Object.entries(LINES).map(([file, line]) => `printf '# Theirs.\\n%s\\n' '${line}' >${file}`);
  const undo = `rm -f ${Object.keys(LINES).join(' ')}`;
  await field.prepared('cp-1', `mkdir -p /etc/cron.d; ${write.join('; ')}`, undo, async () => {
    const { error } = await field.refused(field.spec('field-swap'));
    expect(error.code).toBe('SWAP_STAYS');
    for (const [file, line] of Object.entries(LINES)) expect(error.evidence).toContain(`${file}, line 2: ${line}`);
  });
});
