import { readContexts } from '../client/contexts.ts';
import { type Format, outputOption, printItems } from '../client/print.ts';
import { defineCommand, examples } from '../command.ts';

/** `kubewright config get-contexts`: tokens are not shown. */
export default defineCommand('config get-contexts', (command) =>
  command
    .description('list contexts')
    .addOption(outputOption())
    .addHelpText('after', examples('kubewright config get-contexts'))
    .action(({ output }: { output: Format }) => {
      const { current, contexts } = readContexts();
      const items = Object.entries(contexts).map(([name, { server, tokenFile }]) => ({
        ...{ name, current: name === current, server },
        tokenFile: tokenFile ?? null,
      }));
      printItems(items, {
        format: output,
        name: ({ name }) => `context/${name}`,
        columns: [
          { title: 'CURRENT', value: (item) => (item.current ? '*' : ' ') },
          { title: 'NAME', value: ({ name }) => name },
          { title: 'SERVER', value: ({ server }) => server },
          { title: 'TOKEN-FILE', value: ({ tokenFile }) => tokenFile ?? '' },
        ],
      });
    }),
);
