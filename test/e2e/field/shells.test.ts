import { beforeAll, describe, expect, it } from 'vitest';
import { Field } from './field.ts';

const field = new Field();

/** A name of its own for each: connections are kept by cluster, and sshd keeps the shell of a connection. */
let count = 0;
const spec = () => {
  count += 1;
  return field.spec(`field-shell-${count}`);
};
/** Gives root another shell, and a start-up file. */
const shell = (path: string, file = '', text = ''): [string, string] => [
  `[ ! -e /root/${file}.kept ] || exit 1
${file === '' ? '' : `[ ! -f /root/${file} ] || cp -a /root/${file} /root/${file}.kept\nprintf '%s\\n' '${text}' >/root/${file}`}
usermod -s ${path} root`,
  `usermod -s /bin/bash root
${file === '' ? '' : `rm -f /root/${file}\n[ ! -e /root/${file}.kept ] || mv /root/${file}.kept /root/${file}`}`,
];
const sshd = (line: string): [string, string] => [
  `printf '%s\\n' '${line}' >/etc/ssh/sshd_config.d/00-field.conf\nsshd -t\nsystemctl reload ssh.service`,
  'rm -f /etc/ssh/sshd_config.d/00-field.conf\nsystemctl reload ssh.service',
];

beforeAll(() => field.install('cp-1', 'tcsh', 'zsh'), 300_000);

const NOISE = 'echo "Welcome"; echo kw-0123456789abcdef01 1 2 3 4 5';

it.each([
  [
    'tcsh',
    ...shell('/bin/tcsh', '.tcshrc', `set noclobber\nset echo\n${NOISE}\nalias sh echo no\nset path=(/nowhere)`),
  ],
  ['zsh', ...shell('/bin/zsh', '.zshenv', `setopt rcquotes extendedglob banghist\n${NOISE}\nPATH=/nowhere`)],
  ['bash with a start-up file that talks', ...shell('/bin/bash', '.bashrc', `${NOISE}\nstty -a\nset -x\nprintf half`)],
])('%s as the shell of root: the dry run is that of any host', async (_name, prepare, undo) => {
  await field.prepared('cp-1', prepare, undo, async () => {
    const { errors, hosts } = await field.dryRun(spec());
    expect(errors).toEqual([]);
    expect(hosts.find(({ host }) => host === 'cp-1')?.changes.length).toBeGreaterThan(20);
  });
});

it('tcsh as the shell of root: phases do their work, and a teardown takes all of it back', async () => {
  const [prepare, undo] = shell('/bin/tcsh', '.tcshrc', NOISE);
  await field.prepared('cp-1', prepare, undo, async () => {
    const before = await field.on('cp-1', 'ls -A /etc /root');
    const mine = spec();
    expect(await field.phases(mine, ['prepare'])).toMatchObject({ state: 'succeeded' });
    expect(await field.on('cp-1', 'cat /etc/kubewright/cluster')).toContain(mine.metadata.name);
    await field.remove(mine.metadata.name);
    expect(await field.on('cp-1', 'ls -A /etc /root')).toBe(before);
  });
});

describe('a login that cannot run commands is named by the dry run, and leaves nothing', () => {
  it.each([
    ['nologin', ...shell('/usr/sbin/nologin'), /login shell of the user is nologin/, /not available/],
    ['rbash', ...shell('/bin/rbash'), /restricted shell/, /restricted/],
    ['false', ...shell('/bin/false'), /login shell ended \(code 1\)/, /it printed nothing/],
    ['exec of another shell', ...shell('/bin/bash', '.bashrc', 'exec zsh'), /starts another shell/, /exit code 97/],
    [
      'a reader of input',
      ...shell('/bin/bash', '.bashrc', 'read -r answer'),
      /reads from standard input/,
      /exit code 96/,
    ],
    [
      'a shell that is only for people',
      ...shell('/bin/bash', '.bashrc', '[ -n "$PS1" ] || exit 0'),
      /ended \(code 0\)/,
      /code 0/,
    ],
    [
      'the forced command of cloud images',
      ...sshd('ForceCommand echo "Please login as the user \\"debian\\" rather than the user \\"root\\"."'),
      /log in as debian$/,
      /rather than the user "root"/,
    ],
    ['a forced shell', ...sshd('ForceCommand /bin/bash'), /a forced command, starts another shell/, /exit code 97/],
    ['sftp alone', ...sshd('ForceCommand internal-sftp'), /nothing but sftp/, /sftp connections only/],
    ['no sessions', ...sshd('MaxSessions 0'), /opens no session \(MaxSessions 0/, /open failed/],
  ])('%s', async (_name, prepare, undo, says, evidence) => {
    await field.prepared('cp-1', prepare, undo, async () => {
      const { errors } = await field.dryRun(spec());
      const error = errors.find(({ host, phase }) => host === 'cp-1' && phase === 'preflight');
      expect(error).toMatchObject({ code: 'LOGIN_SHELL_UNUSABLE' });
      expect(error?.message).toMatch(/^cp-1 \(root@\S+, port 22\) /);
      expect(error?.message).toMatch(says);
      expect(error?.evidence).toMatch(evidence);
      expect(await field.on('cp-1', '[ ! -e /etc/kubewright ] && echo clean')).toBe('clean\n');
    });
  });

  it('the build reports the same, once', async () => {
    const mine = spec();
    const { name } = mine.metadata;
    const [prepare, undo] = shell('/bin/bash', '.bashrc', 'exec zsh');
    const { operationId, tasks, said } = await field.prepared('cp-1', prepare, undo, async () => {
      const { errors } = await field.dryRun(mine);
      return { ...(await field.build(mine)), said: errors.find(({ host }) => host === 'cp-1') };
    });
    const task = tasks.find(({ host, phase }) => host === 'cp-1' && phase === 'preflight');
    expect(task).toMatchObject({ state: 'blocked', error: { code: said?.code, message: said?.message } });
    expect(await field.on('cp-1', '[ ! -e /etc/kubewright ] && echo clean')).toBe('clean\n');
    await field.api.request('POST', `/clusters/${name}/cancel`, { operation: operationId });
    await field.api.follow(name, operationId, undefined, ['cancelled', 'failed', 'lost']);
    await field.remove(name);
  });
});
