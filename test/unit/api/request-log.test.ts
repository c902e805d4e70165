import { Writable } from 'node:stream';
import { Registry } from '@prometheus-io/client';
import { pino } from 'pino';
import { expect, it } from 'vitest';
import { buildApp } from '../../../api/app.ts';
import { answersFile } from '../../support/answers.ts';
import { testApi } from './support.ts';

it('reading leaves no lines in the log, a change does', async () => {
  const api = await testApi();
  let text = '';
  const log = new Writable({
    write(chunk: Buffer, _encoding, done) {
      text += chunk.toString('utf8');
      done();
    },
  });
  const app = await buildApp(
    { ...api.deps, metrics: new Registry() },
    { logger: pino({ level: 'info' }, log), checkAnswers: answersFile() },
  );
  const headers = { authorization: `Bearer ${api.token.admin}` };
  expect((await app.inject({ method: 'GET', url: '/clusters', headers })).statusCode).toBe(200);
  expect(text).not.toContain('/clusters');
  await app.inject({ method: 'DELETE', url: '/clusters/absent?confirm=absent', headers });
  expect(text).toContain('/clusters/absent');
  await app.close();
  await api.close();
});
