import { expect, test } from 'vitest';
import { PROXY_VARIABLES } from '../../../activities/host/direct.ts';
import { daemonUnit, execLine, flags, systemdUnit } from '../../../activities/render/unit.ts';

test('sections and keys keep their order; lists repeat the key; undefined is left out', () => {
  const text = systemdUnit({
    Unit: { Description: 'A', After: undefined, StartLimitIntervalSec: 0 },
    Service: { ExecStartPre: ['/bin/a', '/bin/b'], NoNewPrivileges: true, PrivateTmp: false },
  });
  expect(text).toBe(
    '[Unit]\nDescription=A\nStartLimitIntervalSec=0\n\n[Service]\nExecStartPre=/bin/a\nExecStartPre=/bin/b\nNoNewPrivileges=yes\nPrivateTmp=no\n',
  );
});

test('arguments are literal: systemd expands nothing in them', () => {
  expect(execLine(['/bin/x', '--a=b', 'two words', '100%', '$HOME', 'say "hi"', '\\', ''])).toBe(
    ['/bin/x', '--a=b', '"two words"', '100%%', '$$HOME', '"say \\"hi\\""', '"\\\\"', '""'].join(' \\\n  '),
  );
  expect(() => execLine(['a\nb'])).toThrow('line break');
});

test('flags', () => {
  expect(flags({ v: 2, name: 'x', tls: false, none: undefined })).toEqual(['--v=2', '--name=x', '--tls=false']);
});

test('a daemon is restarted for ever, and its own keys win', () => {
  const text = daemonUnit({
    description: 'D',
    exec: ['/bin/d'],
    after: ['a.service'],
    service: { RestartSec: 5, User: 'd' },
  });
  expect(text).toContain('After=network-online.target a.service\n');
  expect(text).toContain('StartLimitIntervalSec=0\n');
  expect(text).toMatch(/^Restart=always\nRestartSec=5\nUnsetEnvironment=.*\nUser=d$/m);
  expect(text.split('UnsetEnvironment=')[1]!.split('\n')[0]!.split(' ')).toEqual([...PROXY_VARIABLES]);
});
