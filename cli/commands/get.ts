import { nearest } from '../../contracts/nearest.ts';
import { openApi, type ServerOptions, withServer } from '../client/api.ts';
import { CLI_EXIT } from '../client/exit-codes.ts';
import { CliError } from '../client/explain.ts';
import { type Format, outputOption, printItems } from '../client/print.ts';
import { itemsOf, RESOURCES, type Resource } from '../client/resources.ts';
import { defineCommand, examples } from '../command.ts';

interface Options extends ServerOptions {
  cluster?: string;
  output: Format;
  headers: boolean;
}

/** `kubewright get RESOURCE [NAME...]`, or `RESOURCE/NAME`. */
export default defineCommand('get', (command) =>
  withServer(command)
    .description('list resources of the service, or show some of them')
    .argument('<resource>', RESOURCES.map(({ name }) => name).join(', '))
    .argument('[names...]')
    .option('-c, --cluster <name>', 'cluster of operations')
    .addOption(outputOption())
    .option('--no-headers', 'no line with the titles of columns')
    .addHelpText(
      'after',
      examples(
        'kubewright get clusters',
        'kubewright get cluster prod -o yaml',
        'kubewright get operations --cluster prod -o wide',
      ),
    )
    .action(async (asked: string, names: string[], options: Options) => {
      const [word, first] = asked.split('/', 2) as [string, string?];
      const resource = resourceNamed(word);
      const wanted = first === undefined ? names : [first, ...names];
      if (resource.ofCluster && options.cluster === undefined) {
        throw new CliError(`${resource.name} are of a cluster: give it with --cluster`, CLI_EXIT.usage);
      }
      const items = await itemsOf(openApi(options), resource, options.cluster ?? '', wanted);
      const missing = wanted.filter((name) => !items.some((item) => item[resource.key] === name));
      if (missing.length > 0) {
        throw new CliError(`there is no ${resource.aliases[0]} ${missing.join(', ')}`, CLI_EXIT.notFound);
      }
      printItems(items, {
        format: options.output,
        columns: resource.columns,
        name: (item) => `${resource.aliases[0]}/${String(item[resource.key])}`,
        headers: options.headers,
        one: wanted.length === 1,
      });
    }),
);

function resourceNamed(word: string): Resource {
  const found = RESOURCES.find(({ name, aliases }) => name === word || aliases.includes(word));
  if (found) return found;
  const near = nearest(
    word,
    RESOURCES.flatMap(({ name, aliases }) => [name, ...aliases]),
  );
  throw new CliError(
    `there is no resource ${word}${near === undefined ? '' : `; did you mean ${near}?`} (${RESOURCES.map(({ name }) => name).join(', ')})`,
    CLI_EXIT.usage,
  );
}
