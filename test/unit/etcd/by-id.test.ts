import { execFileSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { ETCD_BY_ID } from '../../../activities/kube/etcd-grpc.ts';
import { Message } from '../../../activities/phases/external-etcd/protobuf.ts';

/** What the function sends, as curl would get it. */
const sent = (shell: string, id: string): Buffer =>
  execFileSync(shell, ['-euc', `${ETCD_BY_ID}\nvia=\nsends() { cat; }\netcd_by_id /path ${id} sends`]);

test.each(['sh', 'bash'])('%s sends every id of etcd as the number that it is, whatever its size', (shell) => {
  const ids = ['0', '1', '127', '128', '268435455', '268435456', '4294967295', '4294967296', '9223372036854775807'];
  for (const id of [...ids, '9223372036854775808', '10501334649042878790', '18446744073709551615']) {
    const bytes = sent(shell, id);
    expect([...bytes.subarray(0, 5)], id).toEqual([0, 0, 0, 0, 11]);
    expect(bytes.length, id).toBe(16);
    expect(new Message(bytes.subarray(5)).integer(1), id).toBe(BigInt(id));
  }
});
