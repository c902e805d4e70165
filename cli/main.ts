import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import { printable } from '../contracts/printable.ts';
import { secretEnvironment } from '../store/secret-environment.ts';
import { auditCheck } from './commands/audit-check.ts';
import { auditVerify } from './commands/audit-verify.ts';
import { backup } from './commands/backup.ts';
import { operationsShow } from './commands/operations-show.ts';
import { restore } from './commands/restore.ts';
import { secretsRotate } from './commands/secrets-rotate.ts';

// Secrets may come from files, as in the services: the commands read plain variables.
const { env, problems } = secretEnvironment(process.env);
if (problems.length > 0) {
  process.stderr.write(problems.map((line) => `kubewright: ${line}\n`).join(''));
  process.exit(1);
}
Object.assign(process.env, env);

/** `kubewright`: one command per file under commands/. Exit codes: 0 well, 1 not; of the audit checks also 2 (exit-codes.ts). */
const program = new Command('kubewright').description('Builds, operates and audits Kubernetes clusters');
const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
  version: string;
};
program.version(version);
const audit = program.command('audit').description('Check what was recorded');
audit.addCommand(auditVerify());
audit.addCommand(auditCheck());
program.addCommand(backup());
program.addCommand(restore());
program.command('operations').description('Operations of clusters').addCommand(operationsShow());
program.command('secrets').description('Keys of stored secrets').addCommand(secretsRotate());

// Who reads only the first line (`| head -1`) closes the pipe: no reason to fail, and no other exit code.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
});

try {
  await program.parseAsync();
} catch (error) {
  // Messages may quote what was read. Each further line is indented: none can pass for a verdict.
  const message = error instanceof Error ? error.message : String(error);
  process.stderr.write(`kubewright: ${printable(message).replaceAll('\n', '\n  ')}\n`);
  process.exitCode = 1;
}
