import type { AuthContext, KeyboardAuthContext } from 'ssh2';
import { afterEach, describe, expect, test } from 'vitest';
import type { SshPoolLimits } from '../../../activities/host/pool.ts';
import type { KubewrightError } from '../../../contracts/errors.ts';
import { type TestServerOptions, TestSshServer, testKey } from '../../fakes/ssh-server.ts';
import { type TestPool, testPool } from '../../fakes/test-pool.ts';

const login = testKey();
const cleanup: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const each of cleanup.splice(0)) await each();
});

async function server(options: Partial<TestServerOptions> = {}): Promise<TestSshServer> {
  const made = await new TestSshServer({ hostKeys: [testKey()], authorized: [login], ...options }).listen();
  cleanup.push(() => made.close());
  return made;
}

function poolTo(to: TestSshServer, limits: SshPoolLimits = {}): TestPool {
  const key = { kind: 'key', privateKey: login.private } as const;
  const made = testPool(
    {
      key,
      stranger: { kind: 'key', privateKey: testKey().private },
      password: { kind: 'password', password: 'right one' },
      wrong: { kind: 'password', password: 'wrong one' },
      both: { ...key, password: 'right one' },
    },
    { port: to.port },
    limits,
  );
  made.hostKeys.sure.add('test/host-1');
  cleanup.push(() => made.pool.close());
  return made;
}

const failure = (promise: Promise<unknown>): Promise<KubewrightError> =>
  promise.then(
    () => Promise.reject(new Error('expected a failure')),
    (error: unknown) => error as KubewrightError,
  );

/** An sshd with AuthenticationMethods publickey,password (or keyboard-interactive). */
const keyThen =
  (second: 'password' | 'keyboard-interactive') =>
  (context: AuthContext): boolean => {
    const state = context as AuthContext & { key?: unknown };
    if (context.method === 'publickey' && state.key) {
      // A key without a signature only asks whether it would do.
      if (context.signature === undefined) context.accept();
      else (context.reject as (left: string[], partial: boolean) => void)([second], true);
      return true;
    }
    return false;
  };

describe('two factors', () => {
  test.each(['password', 'keyboard-interactive'] as const)('a key and then a password by %s', async (second) => {
    const sshd = await server({
      authenticate: keyThen(second),
      password: 'right one',
      passwordMethods: [second],
    });
    const { host } = await poolTo(sshd).open({ credential: { name: 'both' } });
    expect((await host.exec(['echo', 'in'])).stdout).toBe('in\n');
    expect(sshd.offered).toEqual(['right one']);
  });

  test('an accepted key without a second factor is not reported as a refused key, and the second method is named', async () => {
    const sshd = await server({ authenticate: keyThen('password'), password: 'right one' });
    const error = await failure(poolTo(sshd).open({ credential: { name: 'key' } }));
    expect(error).toMatchObject({ code: 'SSH_AUTH_FAILED', host: 'host-1' });
    expect(error.message).toMatch(/takes our key, and then asks for a second factor: password$/);
    const refused = await failure(poolTo(await server()).open({ credential: { name: 'stranger' } }));
    expect(refused.message).toMatch(/refused our credential$/);
  });

  test('a password beside a key is not offered in place of the key', async () => {
    const sshd = await server({ authorized: [], password: 'right one' });
    const error = await failure(poolTo(sshd).open({ credential: { name: 'both' } }));
    expect(error.code).toBe('SSH_AUTH_FAILED');
    expect(sshd.offered).toEqual([]);
  });

  test('a password beside a key is not sent to a host with an unconfirmed key', async () => {
    const sshd = await server();
    const made = poolTo(sshd);
    made.hostKeys.sure.clear();
    expect((await failure(made.open({ credential: { name: 'both' } }))).code).toBe('SSH_HOST_KEY_UNCONFIRMED');
  });

  test('a one-time code is not answered with the password, and its prompt is named', async () => {
    const answers: string[] = [];
    const sshd = await server({
      authenticate: (context) => {
        if (context.method !== 'keyboard-interactive') return false;
        (context as KeyboardAuthContext).prompt([{ prompt: 'Verification code: ', echo: false }], (given) => {
          answers.push(...given);
          context.reject();
        });
        return true;
      },
      passwordMethods: ['keyboard-interactive'],
      password: 'right one',
    });
    const error = await failure(poolTo(sshd).open({ credential: { name: 'password' } }));
    expect(error.message).toMatch(/asks for more than a password: Verification code:$/);
    expect(answers).toEqual(['']);
  });
});

describe('an expired password', () => {
  test('by a prompt for a new one: nothing is answered', async () => {
    const answers: string[] = [];
    const sshd = await server({
      authenticate: (context) => {
        if (context.method !== 'keyboard-interactive') return false;
        const asked = context as KeyboardAuthContext;
        asked.prompt([{ prompt: 'Password: ', echo: false }], 'PAM', () => {
          asked.prompt(
            [{ prompt: 'New password: ', echo: false }],
            'You are required to change your password immediately.',
            (given) => {
              answers.push(...given);
              context.reject();
            },
          );
        });
        return true;
      },
      passwordMethods: ['keyboard-interactive'],
      password: 'right one',
    });
    const error = await failure(poolTo(sshd).open({ credential: { name: 'password' } }));
    expect(error).toMatchObject({ code: 'SSH_PASSWORD_EXPIRED', host: 'host-1' });
    expect(answers).toEqual([]);
  });

  test('by a request of the protocol', async () => {
    const sshd = await server({
      authenticate: (context) => {
        if (context.method !== 'password') return false;
        (context as AuthContext & { requestChange(prompt: string, done: () => void): void }).requestChange(
          'Password expired',
          () => {},
        );
        return true;
      },
      password: 'right one',
    });
    const error = await failure(poolTo(sshd).open({ credential: { name: 'password' } }));
    expect(error.code).toBe('SSH_PASSWORD_EXPIRED');
  });
});

describe('a refused login lists the methods of the server', () => {
  test('no passwords, no keys', async () => {
    const keysOnly = await server();
    const noPassword = await failure(poolTo(keysOnly).open({ credential: { name: 'wrong' } }));
    expect(noPassword.message).toMatch(/takes no passwords from this user, only: publickey$/);
    const passwordsOnly = await server({
      authenticate: (context) => {
        if (context.method === 'publickey') context.reject(['password']);
        return context.method === 'publickey';
      },
    });
    const noKeys = await failure(poolTo(passwordsOnly).open({ credential: { name: 'key' } }));
    expect(noKeys.message).toMatch(/takes no keys from this user, only: password$/);
  });

  test('its banner and the end of the connection are the evidence', async () => {
    const banner = 'System is booting up. Unprivileged users are not permitted to log in yet.\n';
    const sshd = await server({
      banner,
      authenticate: (_context, connection) => {
        connection.end();
        return true;
      },
    });
    const error = await failure(poolTo(sshd).open());
    expect(error).toMatchObject({ code: 'SSH_AUTH_FAILED' });
    expect(error.message).toMatch(/closed the connection during the login$/);
    expect(error.evidence).toContain(banner.trim());
  });
});

describe('slow logins', () => {
  const quick = { readyTimeoutMs: 300, loginTimeoutMs: 1_500, keepaliveMs: 50, keepaliveCount: 2 };

  test('a machine that does not greet is given up early, and the setting is named', async () => {
    const sshd = await server({ delays: { greeting: 800 } });
    const error = await failure(poolTo(sshd, quick).open());
    expect(error.code).toBe('SSH_UNREACHABLE');
    expect(error.message).toMatch(/did not complete the SSH handshake within 0\.3 s/);
    expect(error.evidence).toContain('ssh.loginTimeoutSeconds');
    const { host } = await poolTo(sshd, quick).open({ loginTimeoutSeconds: 5 });
    expect((await host.exec(['echo', 'in'])).stdout).toBe('in\n');
  });

  test('one that has greeted may take the whole time, and then is given up too', async () => {
    const slow = (ms: number) => (context: AuthContext) => {
      if (context.method !== 'publickey') return false;
      setTimeout(() => context.accept(), ms).unref();
      return true;
    };
    const patient = await server({ authenticate: slow(400) });
    const { host } = await poolTo(patient, quick).open();
    expect((await host.exec(['echo', 'in'])).stdout).toBe('in\n');
    const error = await failure(poolTo(await server({ authenticate: slow(5_000) }), quick).open());
    expect(error.message).toMatch(/did not complete the login within 1\.5 s/);
  });

  test('silence between the login and the first session is no lost connection', async () => {
    const sshd = await server({ delays: { session: 700 } });
    const { host } = await poolTo(sshd, quick).open();
    expect((await host.exec(['echo', 'in'])).stdout).toBe('in\n');
    expect(sshd.connections).toBe(1);
  });
});

describe('a jump host is blamed for what is its own', () => {
  const through = (bastion: TestSshServer, credential = 'key') => ({
    jump: { address: '127.0.0.1', port: bastion.port, user: 'hop', credential: { name: credential } },
  });

  test('that forwards nothing', async () => {
    const inner = await server();
    const bastion = await server({ forwards: false });
    const error = await failure(poolTo(inner).open(through(bastion)));
    expect(error).toMatchObject({ code: 'SSH_JUMP_REFUSED', host: 'host-1' });
    expect(error.message).toBe(
      `the jump host 127.0.0.1 (hop@127.0.0.1, port ${bastion.port}) forwards no connection to 127.0.0.1, port ${inner.port}: host-1 was not tried`,
    );
    expect(inner.connections).toBe(0);
  });

  test('that refuses our credential', async () => {
    const [inner, bastion] = [await server(), await server()];
    const error = await failure(poolTo(inner).open(through(bastion, 'stranger')));
    expect(error).toMatchObject({ code: 'SSH_AUTH_FAILED', host: 'host-1' });
    expect(error.message).toContain('host-1 was not tried, through jump host 127.0.0.1: the jump host 127.0.0.1 (hop@');
    expect(error.message).toMatch(/refused our credential$/);
  });
});

test('a server that lets us log in and opens no session is not asked for ever', async () => {
  const sshd = await server({ maxSessions: 0 });
  const error = await failure(poolTo(sshd).open());
  expect(error).toMatchObject({ code: 'LOGIN_SHELL_UNUSABLE', host: 'host-1' });
  expect(error.message).toMatch(/opens no session \(MaxSessions 0/);
  expect(sshd.logins).toBeLessThanOrEqual(4);
});
