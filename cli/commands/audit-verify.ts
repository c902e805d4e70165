import { readFileSync } from 'node:fs';
import { shown } from '../../audit/problem.ts';
import { readPublicKey } from '../../audit/signing-key.ts';
import { verifyBundle } from '../../audit/verify-bundle.ts';
import { printableJson } from '../../contracts/printable.ts';
import { defineCommand, examples } from '../command.ts';
import { EXIT, EXIT_CODES, fingerprintArgument, print, printProblems } from '../local/exit-codes.ts';

/** `kubewright audit verify BUNDLE`: offline. Exits 1 and names the first bad record when anything was changed. */
export default defineCommand('audit verify', (command) => {
  return command
    .description("check an operation's bundle offline: signature, digests, chain, outputs, history")
    .argument('<bundle>', 'file of GET /clusters/{name}/history/export')
    .option('--key <file>', 'the public key (PEM) that must have signed the bundle')
    .option('--fingerprint <text>', 'the fingerprint (SHA256:...) of the key that must have signed the bundle')
    .option('--json', 'the verdict as JSON')
    .addHelpText('after', EXIT_CODES)
    .addHelpText('after', examples('kubewright audit verify prod.bundle.tar --fingerprint SHA256:...'))
    .action((bundle: string, { key, fingerprint, json }: { key?: string; fingerprint?: string; json?: true }) => {
      const fingerprints = [
        ...(key === undefined ? [] : [fingerprintOfFile(key)]),
        ...(fingerprint === undefined ? [] : [fingerprintArgument(fingerprint)]),
      ];
      const verdict = verifyBundle(bundle, { fingerprints });
      const { problems, signer, cluster, operation, openRecords } = verdict;
      if (json) print(printableJson(JSON.stringify(verdict)));
      else if (problems.length > 0) printProblems(problems);
      else {
        const subject = `operation ${shown(operation)} of cluster ${shown(cluster)}`;
        print(signer === 'pinned' ? `unchanged: ${subject}` : `internally consistent, signer unknown: ${subject}`);
        const { links, outputs, histories, anchors } = verdict;
        print(
          `  ${links} links, ${outputs} outputs, ${histories} workflow histories, ${anchors} of their results anchored`,
        );
        if (openRecords > 0) print(`  ${openRecords} records have no end: their process died`);
        if (signer === 'pinned') print(`  signed by ${verdict.fingerprint}`);
        else {
          print(
            `  its own key is ${verdict.fingerprint}: every bundle has a key, so compare the fingerprint with a trusted one`,
          );
          print('  give the key of the installation: --key FILE or --fingerprint SHA256:...');
        }
      }
      process.exitCode = problems.length > 0 ? EXIT.changed : signer === 'pinned' ? EXIT.unchanged : EXIT.signerUnknown;
    });
});

/** The fingerprint of a public key in PEM. Throws when the file holds none: that says nothing about any bundle. */
export function fingerprintOfFile(file: string): string {
  const pem = readFileSync(file, 'utf8');
  try {
    return readPublicKey(pem).fingerprint;
  } catch (error) {
    throw new Error(`${file} holds no Ed25519 public key in PEM`, { cause: error });
  }
}
