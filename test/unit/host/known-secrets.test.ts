import { expect, test } from 'vitest';
import { credentialSecrets, KnownSecrets } from '../../../activities/host/known-secrets.ts';
import { createRedactor, MASK } from '../../../activities/host/redact.ts';
import { redactError } from '../../../activities/host/redact-error.ts';
import { KubewrightError } from '../../../contracts/errors.ts';

test('secrets that are read while the task runs are masked from then on', () => {
  const secrets = new KnownSecrets(['first-value']);
  expect(secrets.redactor.text('first-value second-value')).toBe(`${MASK} second-value`);
  secrets.add('second-value');
  expect(secrets.redactor.text('first-value second-value')).toBe(`${MASK} ${MASK}`);
});

test('values of one command are masked only in that command', () => {
  const secrets = new KnownSecrets(['first-value']);
  expect(secrets.with(['once-only']).text('first-value once-only')).toBe(`${MASK} ${MASK}`);
  expect(secrets.redactor.text('once-only')).toBe('once-only');
  expect(secrets.with(['first-value'])).toBe(secrets.redactor);
});

test('every kind of login lists its secrets', () => {
  expect(credentialSecrets({ kind: 'key', privateKey: 'PEM', passphrase: 'words' })).toEqual(['PEM', 'words']);
  expect(credentialSecrets({ kind: 'key', privateKey: 'PEM' })).toEqual(['PEM']);
  expect(credentialSecrets({ kind: 'password', password: 'p' })).toEqual(['p']);
  expect(credentialSecrets({ kind: 'agent', socket: '/run/agent' })).toEqual([]);
});

test('secrets are masked in every part of an error, the rest stays', () => {
  const redactor = createRedactor(['hunter22-and-more']);
  const root = new TypeError('root says hunter22-and-more');
  const error = new KubewrightError('COMMAND_FAILED', 'login --password=hunter22-and-more failed', {
    evidence: 'tail hunter22-and-more',
    errors: [{ path: 'spec.x', message: 'is hunter22-and-more' }],
    cause: new Error('in between', { cause: root }),
  });
  const shown = redactError(error, redactor, { host: 'cp-1', phase: 'etcd' });
  expect(shown).toMatchObject({ code: 'COMMAND_FAILED', host: 'cp-1', phase: 'etcd', evidence: `tail ${MASK}` });
  const cause = shown.cause as Error;
  const all = [shown.message, shown.stack, JSON.stringify(shown.errors), cause.stack, (cause.cause as Error).stack];
  expect(all.join('\n')).not.toContain('hunter22');
  expect(cause.message).toBe('in between');
  expect(cause.cause).toMatchObject({ name: 'TypeError', message: `root says ${MASK}` });
  expect(shown.stack).toContain('known-secrets.test.ts');
});

test.each([[new Error('boom')], ['a text'], [null], [undefined]])('%s becomes INTERNAL', (thrown) => {
  const shown = redactError(thrown, createRedactor([]));
  expect(shown.code).toBe('INTERNAL');
  expect(shown.message).toBe(thrown instanceof Error ? 'boom' : String(thrown));
});
