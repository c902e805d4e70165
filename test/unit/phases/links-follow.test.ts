import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { CNI_CONFLIST } from '../../../activities/phases/flannel/config.ts';
import { LINKS_FOLLOW } from '../../../activities/phases/flannel/links-follow.ts';

let root = '';
const place = (path: string, text: string) => {
  mkdirSync(join(root, path, '..'), { recursive: true });
  writeFileSync(join(root, path), text);
};
/** A bridge with the links of two pods, and a network of another kind beside them. */
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'kw-links-'));
  for (const [port, index] of [
    ['veth1', 11],
    ['veth2', 12],
  ] as const) {
    place(`net/cni0/brif/${port}`, '');
    place(`net/${port}/ifindex`, `${index}\n`);
    place(`net/${port}/mtu`, '1350\n');
  }
  place('net/cni0/mtu', '1350\n');
  for (const name of ['cni-1', 'cni-2', 'of-the-user']) place(`netns/${name}`, '');
  place(
    'bin/ip',
    `#!/bin/sh
case "$*" in
  '-n cni-1 -o link show dev eth0') echo '2: eth0@if11: <UP> mtu 1350' ;;
  '-n cni-2 -o link show dev eth0') echo '2: eth0@if12: <UP> mtu 1350' ;;
  '-n of-the-user -o link show dev eth0') echo '2: eth0@if77: <UP> mtu 1500' ;;
  *) echo "$*" >>${root}/log ;;
esac
`,
  );
  chmodSync(join(root, 'bin/ip'), 0o755);
  place('log', '');
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const follow = (mtu: number) => {
  place('conflist', `{"plugins":[{"type":"bridge","mtu":${mtu},"ipam":{}},{"type":"portmap"}]}`);
  const script = LINKS_FOLLOW.replaceAll(CNI_CONFLIST, join(root, 'conflist'))
    .replaceAll('/sys/class/net', join(root, 'net'))
    .replaceAll('/run/netns', join(root, 'netns'));
  const env = { ...process.env, PATH: `${join(root, 'bin')}:${process.env['PATH']}` };
  const said = execFileSync('sh', ['-euc', script], { env, encoding: 'utf8' });
  return { said: said.trim(), calls: readFileSync(join(root, 'log'), 'utf8').trim().split('\n').filter(Boolean) };
};

test('the bridge, its ports and the links of pods behind them get another MTU, and nothing else', () => {
  expect(follow(1400)).toEqual({
    said: '1350 1400',
    calls: [
      'link set dev veth1 mtu 1400',
      'link set dev veth2 mtu 1400',
      'link set dev cni0 mtu 1400',
      '-n cni-1 link set dev eth0 mtu 1400',
      '-n cni-2 link set dev eth0 mtu 1400',
    ],
  });
});

test('links that have it are left alone', () => {
  expect(follow(1350)).toEqual({ said: '', calls: [] });
});

test('a node without pods has no bridge yet', () => {
  rmSync(join(root, 'net'), { recursive: true });
  expect(follow(1400)).toEqual({ said: '', calls: [] });
});
