import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { ErrorReport } from '../../../contracts/errors.ts';
import type { ClusterSpecInput } from '../../../lab/types.ts';
import { Field } from './field.ts';

const field = new Field();

let count = 0;
/** A spec of its own for each test (connections are kept by cluster) whose cp-1 is logged in to with these settings. */
function spec(ssh: Record<string, unknown>): ClusterSpecInput {
  count += 1;
  const made = field.spec(`field-login-${count}`);
  const [host] = made.spec.hosts;
  if (host) host['ssh'] = { ...(host['ssh'] as object), ...ssh };
  return made;
}
const sshd = (...lines: string[]): [string, string] => [
  `printf '%s\\n' ${lines.map((line) => `'${line}'`).join(' ')} >/etc/ssh/sshd_config.d/00-field.conf\nsshd -t\nsystemctl reload ssh.service`,
  'rm -f /etc/ssh/sshd_config.d/00-field.conf\nsystemctl reload ssh.service',
];
/** What the dry run says of cp-1's preflight. */
async function said(of: ClusterSpecInput): Promise<ErrorReport | undefined> {
  const { errors } = await field.dryRun(of);
  return errors.find(({ host, phase }) => host === 'cp-1' && phase === 'preflight');
}
const store = (name: string, body: Record<string, unknown>) => field.api.request('PUT', `/credentials/${name}`, body);

/** A new key: PKCS#8, as people post it, and the line for authorized_keys. */
function newKey(): { pem: string; line: string } {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  const point = Buffer.from(publicKey.export({ format: 'jwk' }).x ?? '', 'base64url');
  const field = (bytes: Buffer) => Buffer.concat([Buffer.from([0, 0, 0, bytes.length]), bytes]);
  const blob = Buffer.concat([field(Buffer.from('ssh-ed25519')), field(point)]).toString('base64');
  return { pem: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(), line: `ssh-ed25519 ${blob} field` };
}

/** A user of a directory, as far as sshd and sudo can tell: the name in /etc/passwd. */
const NAME = 'User.Name@Example.COM';
const addUser = (line: string, sudoers = 'NOPASSWD: ALL') => `
grep -q '^${NAME}:' /etc/passwd || echo '${NAME}:x:4242:100::/home/field-user:/bin/bash' >>/etc/passwd
grep -q '^${NAME}:' /etc/shadow || echo '${NAME}:*:19000:0:99999:7:::' >>/etc/shadow
mkdir -p /home/field-user/.ssh
echo '${line}' >/home/field-user/.ssh/authorized_keys
chown -R 4242:100 /home/field-user
echo 'User.Name\\@Example.COM ALL=(ALL) ${sudoers}' >/etc/sudoers.d/field`;
const DELETE_USER = `rm -rf /etc/sudoers.d/field /home/field-user
sed -i '/^${NAME}:/d' /etc/passwd /etc/shadow`;

describe('names and keys', () => {
  it('a name of a directory, with a PKCS#8 key that has line ends of Windows', async () => {
    const { pem, line } = newKey();
    await store('field-directory', { kind: 'key', privateKey: pem.replaceAll('\n', '\r\n'), clusters: ['field-*'] });
    await field.prepared('cp-1', addUser(line), DELETE_USER, async () => {
      const mine = spec({ user: NAME, credential: { name: 'field-directory' } });
      expect((await field.dryRun(mine)).errors).toEqual([]);
    });
  });

  it('what is no private key is refused when it is posted', async () => {
    await expect(store('field-public', { kind: 'key', privateKey: newKey().line })).rejects.toThrow(
      /it is a public key; the private one is in the file without \.pub/,
    );
  });
});

describe('sudo', () => {
  it('that asks for a password is named; with the password beside the key it works', async () => {
    const { pem, line } = newKey();
    await store('field-key', { kind: 'key', privateKey: pem, clusters: ['field-*'] });
    await store('field-both', { kind: 'key', privateKey: pem, password: 'field-secret', clusters: ['field-*'] });
    const prepare = `${addUser(line, 'ALL')}\nprintf '%s\\n' '${NAME}:field-secret' | chpasswd`;
    await field.prepared('cp-1', prepare, DELETE_USER, async () => {
      const alone = await said(spec({ user: NAME, credential: { name: 'field-key' } }));
      expect(alone).toMatchObject({ code: 'SUDO_REFUSED' });
      expect(alone?.message).toMatch(/sudo asks for a password$/);
      const both = await field.dryRun(spec({ user: NAME, credential: { name: 'field-both' } }));
      expect(both.errors).toEqual([]);
    });
  });

  it('that needs a terminal is named', async () => {
    const [prepare, undo] = ['echo "Defaults requiretty" >/etc/sudoers.d/field', 'rm -f /etc/sudoers.d/field'];
    await field.prepared('cp-1', prepare, undo, async () => {
      const error = await said(spec({ user: 'admin' }));
      expect(error).toMatchObject({ code: 'SUDO_REFUSED' });
      expect(error?.message).toMatch(/requiretty/);
    });
  });
});

describe('the login itself', () => {
  it('may take 14 s', async () => {
    const slow = "sed -i '1i account required pam_exec.so /bin/sleep 14' /etc/pam.d/sshd";
    await field.prepared('cp-1', slow, "sed -i '/pam_exec.so .bin.sleep 14/d' /etc/pam.d/sshd", async () => {
      expect((await field.dryRun(spec({}))).errors).toEqual([]);
      const short = await said(spec({ loginTimeoutSeconds: 2 }));
      expect(short).toMatchObject({ code: 'SSH_UNREACHABLE' });
      expect(short?.message).toMatch(/did not complete the login within 2 s/);
      expect(short?.evidence).toContain('ssh.loginTimeoutSeconds');
    });
  });

  it('with an expired password is named', async () => {
    await field.prepared('cp-1', 'chage -d 0 admin', 'chage -d "$(date +%F)" admin', async () => {
      expect(await said(spec({ user: 'admin' }))).toMatchObject({ code: 'SSH_PASSWORD_EXPIRED' });
    });
  });

  it('that requires a second factor is not reported as a refused key', async () => {
    await field.prepared('cp-1', ...sshd('AuthenticationMethods publickey,password'), async () => {
      const error = await said(spec({}));
      expect(error).toMatchObject({ code: 'SSH_AUTH_FAILED' });
      expect(error?.message).toMatch(/takes our key, and then asks for a second factor: password$/);
    });
  });

  it('that PAM ends shows the message of PAM', async () => {
    const text = 'Closed for maintenance';
    await field.prepared('cp-1', `echo '${text}' >/etc/nologin`, 'rm -f /etc/nologin', async () => {
      const error = await said(spec({ user: 'admin' }));
      expect(error).toMatchObject({ code: 'SSH_AUTH_FAILED' });
      expect(error?.evidence).toContain(text);
    });
  });

  it('works with one session per connection', async () => {
    await field.prepared('cp-1', ...sshd('MaxSessions 1'), async () => {
      expect((await field.dryRun(spec({}))).errors).toEqual([]);
    });
  });
});

describe('a jump host', () => {
  const [, bastion] = field.lab.hosts;
  const through = (more: Record<string, unknown> = {}) =>
    spec({
      jump: {
        address: bastion?.address,
        user: 'root',
        credential: { keyFile: field.lab.sshKey },
        hostKey: bastion?.hostKey,
        ...more,
      },
    });

  it.each([
    ['AllowTcpForwarding no', ['AllowTcpForwarding no']],
    ['a PermitOpen for something else', ['PermitOpen 192.0.2.1:22']],
  ])('with %s is blamed, and not the host', async (_name, lines) => {
    await field.prepared(bastion!.name, ...sshd(...lines), async () => {
      const error = await said(through());
      expect(error).toMatchObject({ code: 'SSH_JUMP_REFUSED', host: 'cp-1' });
      expect(error?.message).toContain(`the jump host ${bastion?.address} (root@${bastion?.address}, port 22)`);
      expect(error?.message).toMatch(/cp-1 was not tried$/);
    });
  });

  it('that refuses our login is blamed', async () => {
    const error = await said(through({ user: 'nobody' }));
    expect(error).toMatchObject({ code: 'SSH_AUTH_FAILED', host: 'cp-1' });
    expect(error?.message).toContain(`cp-1 was not tried, through jump host ${bastion?.address}`);
  });

  it('that works is no matter', async () => {
    expect((await field.dryRun(through())).errors).toEqual([]);
  });
});
