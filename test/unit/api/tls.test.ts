import { request } from 'node:https';
import { expect, it } from 'vitest';
import { issueCa, issueLeaf } from '../../../activities/pki/certificates.ts';
import { buildApp } from '../../../api/app.ts';
import { testApi } from './support.ts';

it('with a certificate the API speaks TLS alone, tells browsers to stay with it, and its cookie is for TLS', async () => {
  const now = new Date();
  const ca = await issueCa('test', now);
  const leaf = {
    authority: 'kubernetes',
    name: 'api',
    commonName: 'api',
    dnsNames: ['localhost'],
    usages: ['server'],
  } as const;
  const { cert, key } = await issueLeaf(ca, leaf, now);
  const plain = await testApi();
  const app = await buildApp(plain.deps, { https: { cert, key } });
  await app.listen({ host: '127.0.0.1', port: 0 });
  const { port } = app.server.address() as { port: number };
  const ask = (path: string, method = 'GET') =>
    new Promise<{ status: number; headers: Record<string, unknown> }>((resolve, reject) => {
      const headers = { authorization: `Bearer ${plain.token.operator}`, host: 'localhost' };
      request({ host: '127.0.0.1', port, path, method, headers, ca: ca.cert, servername: 'localhost' }, (response) => {
        response.resume();
        resolve({ status: response.statusCode ?? 0, headers: response.headers });
      })
        .on('error', reject)
        .end();
    });
  const listed = await ask('/clusters');
  expect(listed.status).toBe(200);
  expect(listed.headers['strict-transport-security']).toMatch(/max-age=\d{7,}/);
  const session = await ask('/codec/session', 'POST');
  expect(String(session.headers['set-cookie'])).toMatch(/; Secure$/);
  await expect(fetch(`http://127.0.0.1:${port}/healthz`)).rejects.toThrow();
  await app.close();
  await plain.close();
});
