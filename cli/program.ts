import { readdirSync, readFileSync } from 'node:fs';
import { Command } from 'commander';
import type { CliCommand } from './command.ts';

/**
 * `kubewright`: one command per file under commands/, found by its name. Only the file of the command that is asked for is loaded: a read
 * answers in the time of one small program. Exit codes: client/exit-codes.ts; of the audit checks local/exit-codes.ts.
 */
const folder = new URL('./commands/', import.meta.url);
const names = readdirSync(folder).flatMap((file) => /^([a-z-]+)\.(?:ts|js)$/.exec(file)?.[1] ?? []);
const extension = import.meta.url.slice(import.meta.url.lastIndexOf('.'));

const load = async (name: string): Promise<CliCommand> =>
  ((await import(new URL(`${name}${extension}`, folder).href)) as { default: CliCommand }).default;

/** The commands that these arguments may mean: one by its words, else all. */
export async function commandsFor(argv: readonly string[]): Promise<CliCommand[]> {
  const [first = '', second = ''] = argv.filter((word) => !word.startsWith('-'));
  const one = [`${first}-${second}`, first].find((name) => names.includes(name));
  return await Promise.all((one === undefined ? names : [one]).map(load));
}

export function programOf(commands: readonly CliCommand[]): Command {
  const program = new Command('kubewright').description('Builds, operates and audits Kubernetes clusters');
  program.showSuggestionAfterError().exitOverride();
  const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
    version: string;
  };
  program.version(version);
  for (const { words, build } of commands) {
    const [group, more] = words as [string, string?];
    const command = build();
    command.exitOverride().showSuggestionAfterError();
    if (more === undefined) {
      program.addCommand(command);
      continue;
    }
    let parent = program.commands.find((each) => each.name() === group);
    if (!parent) {
      const members = commands.filter((each) => each.words[0] === group && each.words.length > 1);
      parent = program.command(group).description(`Commands: ${members.map((each) => each.words[1]).join(', ')}`);
      parent.exitOverride().showSuggestionAfterError();
    }
    parent.addCommand(command);
  }
  return program;
}
