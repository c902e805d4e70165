import { Command } from 'commander';

/** A command of `kubewright`: the default export of a file in `commands/`, whose name is its words, joined with `-`. */
export interface CliCommand {
  /** Such as `audit verify`. */
  readonly words: readonly string[];
  readonly build: () => Command;
}

/** A command by its words; `describe` adds description, arguments, options and the action. */
export const defineCommand = (words: string, describe: (command: Command) => Command): CliCommand => ({
  words: words.split(' '),
  build: () => describe(new Command(words.split(' ').at(-1))),
});

/** The text that each command has at the end of its help. */
export const examples = (...lines: string[]): string => `\nExamples:\n${lines.map((line) => `  ${line}`).join('\n')}`;
