import { request } from 'node:https';
import { type AnchorSink, SEND_MS, type SinkContext } from './sink.ts';

/**
 * POSTs anchors as NDJSON. The signature of the body is in `x-kubewright-signature` (Ed25519, base64), the key's
 * fingerprint in `x-kubewright-fingerprint`. Any 2xx is an answer; what else it says is not read, and it is followed
 * nowhere.
 */
export function webhookSink(address: string, { signer, ca }: SinkContext): AnchorSink {
  const url = new URL(address);
  return {
    name: `webhook:${url.origin}${url.pathname}`,
    send: (entries) =>
      new Promise((resolve, reject) => {
        const body = Buffer.from(entries.map((entry) => `${entry}\n`).join(''));
        const outgoing = request(url, {
          method: 'POST',
          signal: AbortSignal.timeout(SEND_MS),
          ...(ca === undefined ? {} : { ca }),
          headers: {
            'content-type': 'application/x-ndjson',
            'content-length': body.length,
            'user-agent': 'kubewright',
            'x-kubewright-signature': signer.sign(body).toString('base64'),
            'x-kubewright-fingerprint': signer.fingerprint,
          },
        });
        outgoing.once('error', reject);
        outgoing.once('response', (answer) => {
          const status = answer.statusCode ?? 0;
          answer.destroy();
          if (status >= 200 && status < 300) resolve();
          else reject(new Error(`the webhook answered with ${status}`));
        });
        outgoing.end(body);
      }),
  };
}
