import { createInterface } from 'node:readline';
import { z } from 'zod';
import { KubeClient, kubeAccess } from './kube-client.ts';
import { Writer } from './writer.ts';

/**
 * The client outside as a process of its own, so that nothing else that the bench does delays its writes. Reads one line
 * of JSON with its settings; ends with its report when standard input ends. Prints a line per event (outside-client.ts).
 */
const settings = z.object({ access: kubeAccess, namespace: z.string(), prefix: z.string() });

const say = (event: object): void => {
  process.stdout.write(`${JSON.stringify(event)}\n`);
};

let writer: Writer | undefined;
for await (const line of createInterface({ input: process.stdin })) {
  const { access, namespace, prefix } = settings.parse(JSON.parse(line));
  const client = new KubeClient(access, (fingerprint) => say({ server: fingerprint }));
  writer = new Writer((...request) => client.send(...request), namespace, prefix);
}
if (writer === undefined) throw new Error('standard input has no settings');
say({ report: await writer.stop() });
process.exit(0);
