import { randomBytes } from 'node:crypto';
import { chmod, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { run } from './run.ts';

/** What distinguishes one host from another. */
export interface HostIdentity {
  name: string;
  /** Its address on the lab's network; a /24. */
  address: string;
  gateway: string;
  mtu: number;
  resolvConf: string;
  /** The public key that root and admin accept, as one line. */
  authorizedKey: string;
  /** crypt(3) hash of the operator's password. */
  passwordHash: string;
}

/** Writes a host's identity into its root and returns the public half of its new host key (`ssh-ed25519 AAAA...`). */
export async function writeIdentity(root: string, identity: HostIdentity): Promise<string> {
  const { name, address, gateway, mtu } = identity;
  const put = async (path: string, content: string, mode = 0o644): Promise<void> => {
    await mkdir(dirname(join(root, path)), { recursive: true });
    // Links such as /etc/resolv.conf would lead out of the root.
    await rm(join(root, path), { force: true });
    await writeFile(join(root, path), content, { mode });
  };
  await put('etc/hostname', `${name}\n`);
  await put('etc/hosts', `127.0.0.1 localhost\n127.0.1.1 ${name}\n`);
  await put('etc/machine-id', `${randomBytes(16).toString('hex')}\n`, 0o444);
  await put('etc/resolv.conf', identity.resolvConf);
  // Sorts before systemd's 80-container-host0.network, which would give the interface a link-local address.
  await put(
    'etc/systemd/network/10-kubewright-lab.network',
    `[Match]\nName=host0\n\n[Link]\nMTUBytes=${mtu}\n\n[Network]\nAddress=${address}/24\nGateway=${gateway}\nLinkLocalAddressing=no\nIPv6AcceptRA=no\n`,
  );
  await authorize(root, identity.authorizedKey);
  const shadow = await readFile(join(root, 'etc/shadow'), 'utf8');
  await writeFile(join(root, 'etc/shadow'), shadow.replace(/^operator:[^:]*:/m, `operator:${identity.passwordHash}:`));
  return newHostKey(root, name);
}

/** Users log in only with a folder of their own, closed to others (sshd's StrictModes). */
async function authorize(root: string, key: string): Promise<void> {
  await mkdir(join(root, 'root/.ssh'), { recursive: true, mode: 0o700 });
  await writeFile(join(root, 'root/.ssh/authorized_keys'), key, { mode: 0o600 });
  await mkdir(join(root, 'home/admin/.ssh'), { recursive: true, mode: 0o700 });
  await writeFile(join(root, 'home/admin/.ssh/authorized_keys'), key, { mode: 0o600 });
  await run(['chroot', root, 'chown', '-R', 'admin:', '/home/admin/.ssh']);
}

async function newHostKey(root: string, name: string): Promise<string> {
  const file = join(root, 'etc/ssh/ssh_host_ed25519_key');
  await rm(file, { force: true });
  await run(['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-C', name, '-f', file]);
  await chmod(file, 0o600);
  const [type = '', key = ''] = (await readFile(`${file}.pub`, 'utf8')).split(' ');
  return `${type} ${key}`;
}
