import { expect, test } from 'vitest';
import check from '../../../activities/phases/preflight/checks/mount-options.ts';
import { sampleCluster } from '../../golden/golden.ts';

const cluster = sampleCluster();
const host = cluster.spec.hosts[0]!;

/** What the check says of these answers: folder, options, mount point. */
const said = (...rows: [string, string, string][]) =>
  check
    .evaluate({ cluster, host, options: {} } as never, rows)
    .map(({ message, evidence }) => `${message} | ${evidence}`);

test('file systems that take files and run programs are no problem', () => {
  expect(said(['/usr/local/bin', 'rw,nosuid,nodev,relatime', '/'], ['/opt/cni/bin', 'rw', '/opt'])).toEqual([]);
  // No program of ours is run from there.
  expect(said(['/var/log', 'rw,noexec', '/var/log'], ['/var/lib', 'rw,noexec', '/var'])).toEqual([]);
});

test('noexec where programs are, and read-only anywhere, are named once a mount point', () => {
  expect(said(['/opt/cni/bin', 'rw,noexec', '/opt'])).toEqual([
    '/opt is mounted noexec, and programs are run from /opt/cni/bin | findmnt /opt/cni/bin: /opt rw,noexec',
  ]);
  expect(said(['/usr/local/bin', 'ro,noexec', '/usr'], ['/usr/local/lib', 'ro,noexec', '/usr'])).toEqual([
    '/usr is mounted read-only, and files of the cluster go to /usr/local/bin, /usr/local/lib | findmnt /usr/local/bin: /usr ro,noexec',
  ]);
  // An option that only begins like one of them.
  expect(said(['/etc', 'rw,roundtrip', '/etc'])).toEqual([]);
});
