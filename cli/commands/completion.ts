import { readdirSync } from 'node:fs';
import { Argument } from 'commander';
import { say } from '../client/print.ts';
import { defineCommand, examples } from '../command.ts';

/** `kubewright completion SHELL`: a script for the shell, which asks the service for the names of clusters. */
export default defineCommand('completion', (command) =>
  command
    .description('print the completion of a shell')
    .addArgument(new Argument('<shell>').choices(['bash', 'zsh', 'fish']))
    .addHelpText('after', examples('source <(kubewright completion bash)', 'kubewright completion fish | source'))
    .action((shell: 'bash' | 'zsh' | 'fish') => say(SCRIPTS[shell](commandWords()).trimEnd())),
);

/** Words of all commands: the first, and for groups the second. */
function commandWords(): Map<string, string[]> {
  const found = new Map<string, string[]>();
  for (const file of readdirSync(new URL('./', import.meta.url)).sort()) {
    const [name] = /^[a-z-]+/.exec(file)!;
    const [first, ...rest] = name.split('-') as [string, ...string[]];
    found.set(first, [...(found.get(first) ?? []), ...(rest.length > 0 ? [rest.join('-')] : [])]);
  }
  return found;
}

const first = (words: Map<string, string[]>): string => [...words.keys()].join(' ');
const groups = (words: Map<string, string[]>): [string, string][] =>
  [...words].flatMap(([group, members]) =>
    members.length > 0 ? [[group, members.join(' ')] as [string, string]] : [],
  );

const BASH = (words: Map<string, string[]>): string => `_kubewright() {
  local current="\${COMP_WORDS[COMP_CWORD]}"
  if [ "$COMP_CWORD" = 1 ]; then COMPREPLY=($(compgen -W '${first(words)}' -- "$current")); return; fi
  case "\${COMP_WORDS[1]}" in
${groups(words)
  .map(
    ([group, members]) =>
      `  ${group}) [ "$COMP_CWORD" = 2 ] && COMPREPLY=($(compgen -W '${members}' -- "$current")); return ;;`,
  )
  .join('\n')}
  esac
  COMPREPLY=($(compgen -W "$(kubewright get clusters --no-headers -o name 2>/dev/null | sed 's,^cluster/,,')" -- "$current"))
}
complete -o default -F _kubewright kubewright
`;

const SCRIPTS: Record<'bash' | 'zsh' | 'fish', (words: Map<string, string[]>) => string> = {
  bash: BASH,
  zsh: (words) => `autoload -U +X bashcompinit && bashcompinit\n${BASH(words)}`,
  fish: (words) =>
    [
      `complete -c kubewright -f -n __fish_use_subcommand -a '${first(words)}'`,
      ...groups(words).map(
        ([group, members]) => `complete -c kubewright -f -n '__fish_seen_subcommand_from ${group}' -a '${members}'`,
      ),
      "complete -c kubewright -n 'not __fish_use_subcommand' -a '(kubewright get clusters -o name 2>/dev/null | string replace cluster/ \"\")'",
      '',
    ].join('\n'),
};
