import type { AnyAuthMethod, AuthHandlerMiddleware, Prompt } from 'ssh2';
import { KubewrightError } from '../../contracts/errors.ts';
import { evidenceTail } from './command-error.ts';
import { connectError } from './connect-error.ts';
import type { Credential } from './credentials.ts';

/** Of what sshd shows before and during the login: its Banner, and what PAM says. */
const BANNER_CHARS = 1_000;
/** Methods tried in one login at most: a server may ask for ever. */
const ATTEMPTS = 8;

/** PAM asks for a new password: no answer is sent. */
const CHANGE = /new (unix )?password|retype|required to change|password (has|is) expired|expired password/i;
/** Prompts for something else than the password of the account. */
const OTHER_SECRET = /verification|one-time|\botp\b|token|passcode|authenticator|duo\b|yubi|second factor/i;

/**
 * One login: which methods are tried with a credential, in which order, and what the server said meanwhile. After a partial
 * success (AuthenticationMethods publickey,password) the next method goes on; a password beside a key is not offered in
 * place of the key.
 */
export class Authentication {
  readonly #user: string;
  readonly #credential: Credential;
  /** Methods that the server goes on with, by its last answer. */
  #left: readonly string[] | null = null;
  #partial = false;
  readonly #tried: string[] = [];
  #banner = '';
  #expired = false;
  /** A prompt that the credential has no answer to. */
  #unanswered: string | null = null;

  constructor(user: string, credential: Credential) {
    this.#user = user;
    this.#credential = credential;
  }

  /** True when the server has been asked to let us in. */
  get begun(): boolean {
    return this.#tried.length > 0;
  }

  /** For ssh2's `authHandler`. `left` is null at the first call. */
  readonly next: AuthHandlerMiddleware = (left: readonly string[] | null, partial: boolean | null, go): void => {
    this.#left = left;
    this.#partial ||= partial === true;
    const method = this.#expired || this.#tried.length >= ATTEMPTS ? undefined : this.#choose(left);
    if (method === undefined) {
      go(false as unknown as AnyAuthMethod);
      return;
    }
    this.#tried.push(method.type);
    go(method);
  };

  /** For ssh2's events. */
  banner(text: string): void {
    this.#banner = `${this.#banner}${text}`.slice(0, BANNER_CHARS);
  }
  passwordChange(): void {
    this.#expired = true;
  }

  #choose(left: readonly string[] | null): AnyAuthMethod | undefined {
    return this.#methods().find(({ type }) => {
      if (this.#tried.includes(type)) return false;
      if (left === null) return true;
      return left.includes(type === 'agent' ? 'publickey' : type);
    });
  }

  #methods(): AnyAuthMethod[] {
    const [username, credential] = [this.#user, this.#credential];
    if (credential.kind === 'agent') return [{ type: 'agent', username, agent: credential.socket }];
    const withPassword = (password: string): AnyAuthMethod[] => [
      { type: 'password', username, password },
      {
        type: 'keyboard-interactive',
        username,
        prompt: (name, instructions, _lang, prompts, finish) =>
          finish(this.#answers(`${name}\n${instructions}`, prompts, password)),
      },
    ];
    // `none` asks which methods there are, so that no refused password counts against the limit of attempts.
    if (credential.kind === 'password') return [{ type: 'none', username }, ...withPassword(credential.password)];
    const { privateKey: key, passphrase, password } = credential;
    const publickey: AnyAuthMethod = {
      type: 'publickey',
      username,
      key,
      ...(passphrase === undefined ? {} : { passphrase }),
    };
    const second = password !== undefined && (this.#partial || this.#left?.includes('publickey') === false);
    return [publickey, ...(second ? withPassword(password) : [])];
  }

  #answers(heading: string, prompts: readonly Prompt[], password: string): string[] {
    if (CHANGE.test([heading, ...prompts.map(({ prompt }) => prompt)].join('\n'))) {
      this.#expired = true;
      return [];
    }
    return prompts.map(({ prompt }) => {
      if (!OTHER_SECRET.test(prompt)) return password;
      this.#unanswered = prompt.trim();
      return '';
    });
  }

  /** Says why the login failed. `where` names host, user, address and port. */
  failure(error: unknown, host: string, where: string): KubewrightError {
    const plain = connectError(error, host, where);
    const methods = this.#left?.join(', ') ?? '';
    const evidence = evidenceTail(
      [this.#banner.trim(), methods === '' ? '' : `sshd goes on with: ${methods}`, plain.evidence ?? '']
        .filter((line) => line !== '')
        .join('\n'),
    );
    const as = (code: KubewrightError['code'], problem: string) =>
      new KubewrightError(code, `${where} ${problem}`, { cause: error, host, evidence });
    if (this.#expired || CHANGE.test(this.#banner)) {
      return as('SSH_PASSWORD_EXPIRED', 'asks for a new password: that of the login user has expired');
    }
    if (this.#unanswered !== null) {
      return as('SSH_AUTH_FAILED', `asks for more than a password: ${this.#unanswered.slice(0, 80)}`);
    }
    if (plain.code !== 'SSH_AUTH_FAILED') {
      // PAM's account rules (pam_nologin, an expired account) end the connection in the middle of the login.
      const closed = /closed before|ended|No response from server|reset/i.test(plain.evidence ?? '');
      if (this.begun && closed) return as('SSH_AUTH_FAILED', 'closed the connection during the login');
      return this.#banner === '' ? plain : as(plain.code, plain.message.replace(`${where} `, ''));
    }
    if (this.#partial) {
      const took = this.#credential.kind === 'password' ? 'the password' : 'our key';
      return as('SSH_AUTH_FAILED', `takes ${took}, and then asks for a second factor: ${methods}`);
    }
    const mine = this.#credential.kind === 'password' ? ['password', 'keyboard-interactive'] : ['publickey'];
    if (this.#left !== null && !this.#left.some((each) => mine.includes(each))) {
      const kind = this.#credential.kind === 'password' ? 'passwords' : 'keys';
      return as('SSH_AUTH_FAILED', `takes no ${kind} from this user, only: ${methods || 'nothing'}`);
    }
    return as('SSH_AUTH_FAILED', 'refused our credential');
  }
}
