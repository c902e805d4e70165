import { CLASS_EXIT, CLI_EXIT } from '../client/exit-codes.ts';
import { commandsFor } from '../program.ts';

/** What each exit code means, by its name. */
const MEANING: Record<keyof typeof CLI_EXIT, string> = {
  ok: 'done; of a followed operation: it succeeded, or is paused',
  failed: 'an error without a class: a local file that cannot be read, a defect',
  usage: 'bad arguments: nothing was asked',
  refused: 'the service refused the request; a dry run found errors: correct the request',
  forbidden: 'no valid token, or one without the right',
  notFound: 'what was named does not exist',
  unavailable: 'the service, or what it needs, does not answer: try again',
  ended: 'the operation was cancelled or lost',
  timeout: 'the operation still runs after `--timeout`',
};

/** docs/cli.md: every command with its options and examples, and the exit codes. */
export async function cliPage(generated: string): Promise<string> {
  const commands = (await commandsFor([])).sort((a, b) => (a.words.join(' ') < b.words.join(' ') ? -1 : 1));
  const sections = commands.map((command) => {
    const built = command.build().name(`kubewright ${command.words.join(' ')}`);
    let help = '';
    built.configureOutput({ writeOut: (text) => (help += text), getOutHelpWidth: () => 120 }).outputHelp();
    return [`### ${command.words.join(' ')}`, '', '```', help.trimEnd(), '```', ''].join('\n');
  });
  const codes = Object.entries(CLI_EXIT).map(
    ([name, code]) => `| ${code} | ${MEANING[name as keyof typeof CLI_EXIT]} |`,
  );
  const classes = Object.entries(CLASS_EXIT).map(
    ([name, code]) => `| ${code} | the operation failed or is blocked, and its first error has the class \`${name}\` |`,
  );
  return [
    '# Command line',
    '',
    generated,
    '',
    '`kubewright` asks a running service over its API; `audit`, `backup` and `restore` read files and databases on this machine.',
    'In a clone it is `npx kubewright`. Where the service is: `--server`, else `KUBEWRIGHT_URL`, else the context (`kubewright config`),',
    'else a service on this machine. Who asks: `--token-file`, else `KUBEWRIGHT_TOKEN`, else the context, else `.kubewright/admin-token`.',
    'Answers go to standard output, everything else to standard error. Ctrl-C ends a command that follows an operation, and not the operation.',
    '',
    '## Exit codes',
    '',
    '| code | meaning |',
    '| --- | --- |',
    ...codes,
    ...classes,
    '',
    '`audit verify` and `audit check` have their own, see their help.',
    '',
    '## Commands',
    '',
    ...sections,
  ].join('\n');
}
