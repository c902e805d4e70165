import { openApi, type ServerOptions, withServer } from '../client/api.ts';
import { defineCommand, examples } from '../command.ts';

interface Answer {
  keyId: string;
  resealed: number;
  unreadable: string[];
  oldKeyIds: string[];
  droppedKeyIds: string[];
}

/** `kubewright secrets rotate`: asks a running service to seal every secret under a new key. */
export default defineCommand('secrets rotate', (command) => {
  const described = command
    .description('encrypt every stored secret with a new master key; repeat it after an interruption')
    .option('--drop-old', 'delete keys that no secret uses any more: older backups can then not be decrypted');
  described.addHelpText('after', examples('kubewright secrets rotate', 'kubewright secrets rotate --drop-old'));
  return withServer(described).action(async ({ dropOld = false, ...server }: ServerOptions & { dropOld?: boolean }) => {
    const answer = await openApi(server).request<Answer>('POST', '/secrets/rotate', { body: { dropOld } });
    const say = (line: string) => process.stdout.write(`${line}\n`);
    if (!dropOld) say(`encrypted ${answer.resealed} secrets with the key ${answer.keyId}`);
    if (answer.oldKeyIds.length > 0) say(`unused keys: ${answer.oldKeyIds.join(', ')} (delete them with --drop-old)`);
    if (answer.droppedKeyIds.length > 0) say(`deleted keys: ${answer.droppedKeyIds.join(', ')}`);
    for (const name of answer.unreadable) say(`no available key decrypts ${name}`);
    if (answer.unreadable.length > 0) process.exitCode = 1;
  });
});
