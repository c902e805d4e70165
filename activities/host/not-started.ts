import type { ErrorCode } from '../../contracts/errors.ts';
import { evidenceTail } from './command-error.ts';
import { GUARD_MISSING, GUARD_READ } from './login-shell.ts';

/** A login that ended without running our command. */
interface NotStarted {
  /** How messages name the login: host, user, address and port. */
  where: string;
  command: string;
  /** It was to run through sudo. */
  elevated: boolean;
  /** Exit code of what sshd ran. */
  code: number;
  /** What it printed, both streams. */
  output: string;
}

interface Reason {
  /** What is found in the output, or the exit code. */
  found: RegExp | number;
  code: ErrorCode;
  /** Completes "<where> does not run our commands: ...". */
  reason: string | ((match: RegExpExecArray) => string);
  /** Only where sudo was to run. */
  sudo?: true;
}

/** Known reasons, most specific first. Texts are those of sudo 1.9, OpenSSH, Linux-PAM, shadow and common shells. */
const REASONS: readonly Reason[] = [
  {
    // Linux-PAM (pam_unix) and sshd without a terminal; sudo's own words for it.
    found:
      /password (has|is) expired|password change required|required to change your password|account or password is expired/i,
    code: 'SSH_PASSWORD_EXPIRED',
    reason: 'the password of the login user has expired',
  },
  {
    found: /account (has|is) expired|account validation failure/i,
    code: 'LOGIN_SHELL_UNUSABLE',
    reason: 'the account has expired',
  },
  // Forced command of cloud images for root.
  {
    found: /please login as the user "?([^\s"]{1,64})"? rather than/i,
    code: 'LOGIN_SHELL_UNUSABLE',
    reason: ([, user]) => `this user may not log in there; the machine says: log in as ${user}`,
  },
  {
    found: /you must have a tty|no tty present/i,
    code: 'SUDO_REFUSED',
    reason: 'sudo needs a terminal (requiretty in its sudoers)',
    sudo: true,
  },
  {
    found: /not in the sudoers file|may not run sudo|not allowed to (execute|run)/i,
    code: 'SUDO_REFUSED',
    reason: 'sudo does not allow this user to run commands as root',
    sudo: true,
  },
  {
    found: /incorrect password attempt/i,
    code: 'SUDO_REFUSED',
    reason: 'sudo does not take the password of the credential',
    sudo: true,
  },
  {
    found: /a (password|terminal) is required/i,
    code: 'SUDO_REFUSED',
    reason: 'sudo asks for a password',
    sudo: true,
  },
  {
    found: /sudo: (command )?not found|sudo: unknown|no such file.*sudo/i,
    code: 'SUDO_REFUSED',
    reason: 'sudo is not installed, and the login user is not root',
    sudo: true,
  },
  { found: /no new privileges/i, code: 'SUDO_REFUSED', reason: 'sudo may not become root there', sudo: true },
  {
    found: /account is currently not available|nologin/i,
    code: 'LOGIN_SHELL_UNUSABLE',
    reason: 'the login shell of the user is nologin',
  },
  { found: /restricted/i, code: 'LOGIN_SHELL_UNUSABLE', reason: 'the login shell of the user is a restricted shell' },
  {
    found: /allows sftp connections only/i,
    code: 'LOGIN_SHELL_UNUSABLE',
    reason: 'sshd allows this user nothing but sftp (ForceCommand internal-sftp)',
  },
  {
    found: /open terminal failed|not a terminal|connected to a terminal|TERM environment variable/i,
    code: 'LOGIN_SHELL_UNUSABLE',
    reason: 'a start-up file of the login shell starts a program that needs a terminal, such as tmux or screen',
  },
  {
    found: GUARD_READ,
    code: 'LOGIN_SHELL_UNUSABLE',
    reason: 'a start-up file of the login shell, or a forced command, starts another shell in place of our command',
  },
  {
    found: GUARD_MISSING,
    code: 'LOGIN_SHELL_UNUSABLE',
    reason: 'a start-up file of the login shell reads from standard input',
  },
];

/** Why a login did not run our command: LOGIN_SHELL_UNUSABLE, SSH_PASSWORD_EXPIRED or SUDO_REFUSED. */
export function notStartedBecause({ where, command, elevated, code, output }: NotStarted): {
  code: ErrorCode;
  message: string;
  evidence: string;
} {
  const evidence = evidenceTail(
    `${output.trim() || 'it printed nothing'}\nexit code ${code} before ${command} was started`,
  );
  for (const { found, code: verdict, reason, sudo } of REASONS) {
    if (sudo && !elevated) continue;
    const match = typeof found === 'number' ? (found === code ? /^/.exec('') : null) : found.exec(output);
    if (!match) continue;
    const what = typeof reason === 'string' ? reason : reason(match);
    return { code: verdict, message: `${where} does not run our commands: ${what}`, evidence };
  }
  if (elevated && /sudo/i.test(output)) {
    return { code: 'SUDO_REFUSED', message: `${where} does not run our commands: sudo refused`, evidence };
  }
  const message = `${where} does not run our commands: the login shell ended (code ${code}) without running them`;
  return { code: 'LOGIN_SHELL_UNUSABLE', message, evidence };
}
