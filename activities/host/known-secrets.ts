import type { Credential } from './credentials.ts';
import { createRedactor, type Redactor } from './redact.ts';

/**
 * The secrets that one task has touched so far: the login, and whatever the PKI handed out. Everything that the task says
 * out (journal, heartbeats, changes, errors) goes through its redactor. Grows while the task runs, so ask for the
 * redactor anew each time.
 */
export class KnownSecrets {
  readonly #values = new Set<string>();
  #redactor: Redactor | undefined;

  constructor(values: readonly string[] = []) {
    this.add(...values);
  }

  add(...values: readonly string[]): void {
    for (const value of values) {
      if (this.#values.has(value)) continue;
      this.#values.add(value);
      this.#redactor = undefined;
    }
  }

  get redactor(): Redactor {
    this.#redactor ??= createRedactor([...this.#values]);
    return this.#redactor;
  }

  /** The redactor for these values too, without remembering them. */
  with(more: readonly string[] = []): Redactor {
    const fresh = more.filter((value) => !this.#values.has(value));
    return fresh.length === 0 ? this.redactor : this.redactor.with(fresh);
  }
}

/** What must never be shown of a login. */
export function credentialSecrets(credential: Credential): string[] {
  switch (credential.kind) {
    case 'key':
      return [credential.privateKey, credential.passphrase, credential.password].filter((each) => each !== undefined);
    case 'password':
      return [credential.password];
    case 'agent':
      return [];
  }
}
