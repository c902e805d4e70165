import { readFileSync } from 'node:fs';
import { Command } from 'commander';

interface Answer {
  keyId: string;
  resealed: number;
  unreadable: string[];
  oldKeyIds: string[];
  droppedKeyIds: string[];
  detail?: string;
}

/** `kubewright secrets rotate`: asks a running service to seal every secret under a new key. */
export function secretsRotate(): Command {
  return new Command('rotate')
    .description('encrypt every stored secret with a new master key; repeat it after an interruption')
    .option('--url <url>', 'URL of the API', process.env['KUBEWRIGHT_URL'] ?? 'http://127.0.0.1:8080')
    .option('--token-file <file>', 'file with an admin token; default: KUBEWRIGHT_TOKEN, then <data>/admin-token')
    .option('--drop-old', 'delete keys that no secret uses any more: older backups can then not be decrypted')
    .action(async ({ url, tokenFile, dropOld = false }: { url: string; tokenFile?: string; dropOld?: boolean }) => {
      const response = await fetch(`${url}/secrets/rotate`, {
        method: 'POST',
        headers: { authorization: `Bearer ${tokenOf(tokenFile)}`, 'content-type': 'application/json' },
        body: JSON.stringify({ dropOld }),
      });
      const answer = (await response.json()) as Answer;
      if (!response.ok) throw new Error(answer.detail ?? `HTTP ${response.status}`);
      const say = (line: string) => process.stdout.write(`${line}\n`);
      if (!dropOld) say(`encrypted ${answer.resealed} secrets with the key ${answer.keyId}`);
      if (answer.oldKeyIds.length > 0) say(`unused keys: ${answer.oldKeyIds.join(', ')} (delete them with --drop-old)`);
      if (answer.droppedKeyIds.length > 0) say(`deleted keys: ${answer.droppedKeyIds.join(', ')}`);
      for (const name of answer.unreadable) say(`no available key decrypts ${name}`);
      if (answer.unreadable.length > 0) process.exitCode = 1;
    });
}

function tokenOf(file: string | undefined): string {
  const given = process.env['KUBEWRIGHT_TOKEN'];
  if (file === undefined && given !== undefined && given !== '') return given;
  return readFileSync(file ?? `${process.env['KUBEWRIGHT_DATA'] ?? './.kubewright'}/admin-token`, 'utf8').trim();
}
