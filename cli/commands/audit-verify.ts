import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import { type Problem, problemText } from '../../audit/problem.ts';
import { readPublicKey } from '../../audit/signing-key.ts';
import { verifyBundle } from '../../audit/verify-bundle.ts';

/** `kubewright audit verify BUNDLE`: offline. Exits 1 and names the first bad record when anything was changed. */
export function auditVerify(): Command {
  return new Command('verify')
    .description("check an operation's bundle offline: signature, digests, chain, outputs, history")
    .argument('<bundle>', 'file of GET /clusters/{name}/history/export')
    .option('--key <file>', 'the public key (PEM) that must have signed it')
    .option('--json', 'the verdict as JSON')
    .addHelpText('after', EXIT_CODES)
    .action((bundle: string, { key, json }: { key?: string; json?: true }) => {
      const verdict = verifyBundle(bundle, { publicKey: key === undefined ? undefined : pinned(key) });
      if (json) print(JSON.stringify(verdict));
      else if (verdict.problems.length > 0) tell(verdict.problems);
      else {
        const { cluster, operation, links, outputs, histories, anchors, openRecords, fingerprint } = verdict;
        print(`unchanged: operation ${operation} of cluster ${cluster}`);
        print(
          `  ${links} links, ${outputs} outputs, ${histories} workflow histories, ${anchors} of their results anchored`,
        );
        if (openRecords > 0) print(`  ${openRecords} records have no end: whoever ran them died`);
        print(`  signed by ${fingerprint}${key === undefined ? ' (compare it, or give --key)' : ''}`);
      }
      if (verdict.problems.length > 0) process.exitCode = 1;
    });
}

/** What both checks say at their end. */
export const EXIT_CODES = `
Exit code 0: nothing was changed. 1: the first line names the first bad record (CHANGED: ...), or nothing could be
checked (then the message is on standard error).`;

/** A public key in PEM. Throws when the file holds none: that says nothing about any bundle. */
function pinned(file: string): string {
  const pem = readFileSync(file, 'utf8');
  try {
    readPublicKey(pem);
  } catch (error) {
    throw new Error(`${file} holds no Ed25519 public key in PEM`, { cause: error });
  }
  return pem;
}

/** The first problem by itself, then what else there is. */
export function tell(problems: readonly Problem[]): void {
  const [first, ...rest] = problems.map(problemText);
  print(`CHANGED: ${first!}`);
  for (const each of rest) print(`  also: ${each}`);
}

export function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
