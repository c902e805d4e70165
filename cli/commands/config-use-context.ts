import { contextNamed, readContexts, writeContexts } from '../client/contexts.ts';
import { say } from '../client/print.ts';
import { defineCommand, examples } from '../command.ts';

/** `kubewright config use-context NAME`. */
export default defineCommand('config use-context', (command) =>
  command
    .description('use a context from now on')
    .argument('<name>')
    .addHelpText('after', examples('kubewright config use-context prod'))
    .action((name: string) => {
      const contexts = readContexts();
      contextNamed(contexts, name);
      writeContexts({ ...contexts, current: name });
      say(`context ${name} is used`);
    }),
);
