import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, inject, test } from 'vitest';
import { fillDisk, restoreDisk, startSshd, stopSshd } from '../../lab/faults.ts';
import { testKey } from '../fakes/ssh-server.ts';
import { onHost, type SpecDraft, startOnHost, Workbench } from './support.ts';

/** Each of these stops one host, by name; it goes through once the cause is gone. */

const lab = inject('lab');
const bench = new Workbench(lab);
const [first, second] = lab.hosts as [Lab0, Lab0];
type Lab0 = (typeof lab.hosts)[number];
const preflight = (host: string, change?: (spec: SpecDraft) => void) => ({ phase: 'preflight', host, change });
const hostOf = (spec: SpecDraft, name: string) => spec.hosts.find((each) => each.name === name)!;

/** Undoes a test's fault, whatever became of the test. */
const undo: (() => Promise<unknown>)[] = [];
async function restore(): Promise<void> {
  for (const each of undo.splice(0).reverse()) await each();
}

beforeAll(() => bench.open());
afterEach(restore);
afterAll(() => bench.close());

describe('reaching a host', () => {
  test('a wrong key stops that host, and no other', async () => {
    const keyFile = join(bench.folder, 'stranger');
    writeFileSync(keyFile, testKey().private, { mode: 0o600 });
    const wrong = (spec: SpecDraft) => {
      hostOf(spec, 'worker-1').ssh['credential'] = { keyFile };
    };
    await bench.stops(preflight('worker-1', wrong), {
      code: 'SSH_AUTH_FAILED',
      retryable: false,
      cause: new RegExp(`worker-1 \\(root@${second.address}, port 22\\) refused our credential`),
      evidence: /authentication/i,
    });
    await bench.run(preflight('cp-1', wrong));
    await bench.run(preflight('worker-1'));
  });

  test('a key file without a key is not reported as a refused key', async () => {
    const keyFile = join(bench.folder, 'garbage');
    writeFileSync(keyFile, 'not a key\n', { mode: 0o600 });
    const change = (spec: SpecDraft) => {
      spec.ssh['credential'] = { keyFile };
    };
    await bench.stops(preflight('cp-1', change), {
      code: 'SSH_CREDENTIAL_UNUSABLE',
      retryable: false,
      cause: /the private key \S+garbage cannot be used: ./,
    });
  });

  test('another host key than the pinned one', async () => {
    const change = (spec: SpecDraft) => {
      hostOf(spec, 'worker-1').ssh['hostKey'] = first.hostKey;
    };
    await bench.stops(preflight('worker-1', change), {
      code: 'SSH_HOST_KEY_MISMATCH',
      retryable: false,
      cause: /worker-1 .* shows another host key/,
      evidence: [/expected SHA256:\S{43}/, /shown +SHA256:\S{43}/],
    });
    await bench.run(preflight('worker-1'));
  });

  test('a host key that changed since its first use', async () => {
    const unpinned = (spec: SpecDraft) => {
      delete hostOf(spec, 'worker-1').ssh['hostKey'];
    };
    await bench.run(preflight('worker-1', unpinned));
    const key = '/etc/ssh/ssh_host_ed25519_key';
    await onHost(lab, 'worker-1', 'cp -a "$1" "$1.was"; cp -a "$1.pub" "$1.pub.was"', key);
    undo.push(() =>
      onHost(lab, 'worker-1', 'mv "$1.was" "$1"; mv "$1.pub.was" "$1.pub"; systemctl restart ssh.service', key),
    );
    const made = await onHost(
      lab,
      'worker-1',
      `rm "$1"; ssh-keygen -q -t ed25519 -N '' -f "$1"; systemctl restart ssh.service; cut -d' ' -f1,2 "$1.pub"`,
      key,
    );
    await bench.restart();
    await bench.stops(preflight('worker-1', unpinned), {
      code: 'SSH_HOST_KEY_MISMATCH',
      retryable: false,
      cause: /shows another host key/,
      evidence: [/expected SHA256:/, /shown +SHA256:/],
    });
    // As the hint says: the new key, verified, in the spec.
    await bench.run(
      preflight('worker-1', (spec) => {
        hostOf(spec, 'worker-1').ssh['hostKey'] = made.trim();
      }),
    );
    await restore();
    await bench.restart();
    await bench.run(preflight('worker-1', unpinned));
  });

  test('sshd is down, in the middle of the work of a worker', async () => {
    await bench.run(preflight('worker-1'));
    await stopSshd(lab, 'worker-1');
    undo.push(() => startSshd(lab, 'worker-1'));
    // The first command may still find the connection that was.
    await bench.run(preflight('worker-1')).catch(() => {});
    await bench.stops(preflight('worker-1'), {
      code: 'SSH_UNREACHABLE',
      retryable: false,
      cause: /nothing listens there/,
      evidence: /ECONNREFUSED/,
    });
    await bench.run(preflight('cp-1'));
    await restore();
    await bench.run(preflight('worker-1'));
  });

  test('an address without a host, and a name that does not resolve', async () => {
    const at = (address: string) => (spec: SpecDraft) => {
      hostOf(spec, 'worker-1').address = address;
    };
    const nobody = lab.gateway.replace(/\d+$/, '250');
    await Promise.all([
      bench.stops(preflight('worker-1', at(nobody)), {
        code: 'SSH_UNREACHABLE',
        retryable: false,
        cause: new RegExp(`${nobody}.*(no route|does not answer)`),
        evidence: /EHOSTUNREACH|timed out/i,
      }),
      bench.stops(preflight('worker-1', at('kubewright-test.invalid')), {
        code: 'SSH_UNREACHABLE',
        retryable: false,
        cause: /kubewright-test\.invalid.*cannot be resolved/,
        evidence: /ENOTFOUND|EAI_AGAIN/,
      }),
    ]);
  });

  test('sudo asks for a password', async () => {
    const admin = (spec: SpecDraft) => {
      spec.ssh['user'] = 'admin';
    };
    // The last rule that fits wins.
    await onHost(lab, 'worker-1', "echo 'admin ALL=(ALL) ALL' >/etc/sudoers.d/zz-refuse");
    undo.push(() => onHost(lab, 'worker-1', 'rm -f /etc/sudoers.d/zz-refuse'));
    await bench.stops(preflight('worker-1', admin), {
      code: 'SUDO_REFUSED',
      retryable: false,
      cause: /^worker-1 \(.*sudo asks for a password/,
      evidence: /password/,
    });
    await restore();
    await bench.run(preflight('worker-1', admin));
  });
});

describe('what preflight finds', () => {
  test('an unsupported system', async () => {
    await bench.restart();
    const file = '/usr/lib/os-release';
    await onHost(
      lab,
      'worker-1',
      `printf 'ID=slackware\\nVERSION_ID=15.0\\nPRETTY_NAME="Slackware 15.0"\\n' >/run/os-release
      mount --bind /run/os-release "$1"`,
      file,
    );
    undo.push(() => onHost(lab, 'worker-1', 'umount "$1"; rm /run/os-release', file));
    await bench.stops(preflight('worker-1'), {
      code: 'OS_UNSUPPORTED',
      retryable: false,
      cause: /^Slackware 15\.0 is not supported/,
      evidence: /ID=slackware VERSION_ID=15\.0/,
    });
    await bench.run(
      preflight('worker-1', (spec) => {
        spec.phases['preflight'] = { allowUnsupportedOs: true };
      }),
    );
    await restore();
    await bench.run(preflight('worker-1'));
  });

  test('a full disk', async () => {
    await fillDisk(lab, 'worker-1', '/usr/local', 1024 * 1024);
    undo.push(() => restoreDisk(lab, 'worker-1', '/usr/local'));
    await bench.stops(preflight('worker-1'), {
      code: 'DISK_FULL',
      retryable: false,
      cause: /^1 MiB free for \/usr\/local, at least 512 are wanted/,
      evidence: /df: kubewright-full on \/usr\/local, 1 MiB free/,
    });
    await restore();
    await bench.run(preflight('worker-1'));
  });

  test('a kernel feature that a chosen option needs', async ({ skip }) => {
    const choices: [string, (spec: SpecDraft) => void][] = [
      [
        'ip_vs',
        (spec) => void (spec.phases['nodes'] = { ...spec.phases['nodes'], kubeProxy: { config: { mode: 'ipvs' } } }),
      ],
      ['wireguard', (spec) => void (spec.phases['flannel'] = { backend: 'wireguard' })],
      ['ipip', (spec) => void (spec.phases['flannel'] = { backend: 'ipip' })],
    ];
    const here = await onHost(
      lab,
      'worker-1',
      `for m in ip_vs wireguard ipip; do
        [ -e /proc/net/$m ] || [ -e /sys/module/$m ] || modprobe -n -q $m || grep -qs " register_ip_vs_scheduler$" /proc/kallsyms ||
          unshare -n ip link add probe type $m 2>/dev/null || { echo $m; exit; }
      done`,
    );
    const [name, change] = choices.find(([each]) => each === here.trim()) ?? [];
    if (name === undefined) skip('this kernel has them all');
    await bench.stops(preflight('worker-1', change), {
      code: 'KERNEL_FEATURE_MISSING',
      retryable: false,
      cause: new RegExp(`the kernel has no ${name}, wanted for: (kube-proxy mode|flannel backend)`),
      evidence: new RegExp(`^Linux .*: ${name} is neither loaded nor built in`),
    });
    await bench.run(preflight('worker-1'));
  });

  test('ports in use, with the process that uses them; all problems are reported together', async () => {
    const listen = (port: number) =>
      startOnHost(lab, 'cp-1', {
        unit: `kwtest-port-${port}`,
        argv: [
          'perl',
          '-MIO::Socket::INET',
          '-e',
          'my $s = IO::Socket::INET->new(Listen => 1, LocalPort => shift) or die; sleep',
          `${port}`,
        ],
        ready: `ss -H -l -t -n | grep -q ':${port} '`,
      });
    undo.push(await listen(10250));
    await bench.stops(preflight('cp-1'), {
      code: 'PORT_IN_USE',
      retryable: false,
      cause: /^port 10250 is taken by perl \(pid \d+\)$/,
      evidence: /^ss: \S+:10250 perl pid=\d+ \S*\/perl\S*; wanted for \/usr\/local\/bin\/kubelet$/,
    });
    undo.push(await listen(2379));
    await bench.stops(preflight('cp-1'), {
      code: 'PORT_IN_USE',
      retryable: false,
      cause: /^port (2379|10250) is taken by perl \(pid \d+\) \(and 1 more, see the evidence\)$/,
      evidence: [/PORT_IN_USE: port 2379/, /PORT_IN_USE: port 10250/],
    });
    // etcd is no business of a worker's.
    await bench.run(preflight('worker-1'));
    await restore();
    await bench.run(preflight('cp-1'));
  });

  test('the mirror does not answer the host', async () => {
    const change = (spec: SpecDraft) => {
      spec.artifacts = { mirror: `http://${lab.gateway}:9` };
    };
    await bench.stops(preflight('worker-1', change), {
      code: 'NETWORK_UNREACHABLE',
      retryable: true,
      cause: /the artifact mirror cannot be reached/,
      evidence: new RegExp(`http://${lab.gateway}:9: curl: .*`),
    });
  });

  test('changes nothing on a host', async () => {
    expect(await bench.run(preflight('cp-1'))).toMatchObject({ changeCount: 0, restarts: [] });
  });
});
