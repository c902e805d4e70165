import { CommanderError } from 'commander';
import { printable } from '../contracts/printable.ts';
import { nothingWithEpipe } from './client/broken-pipe.ts';
import { CLI_EXIT } from './client/exit-codes.ts';
import { explain } from './client/explain.ts';
import { readSecretFiles } from './local/secret-files.ts';
import { commandsFor, programOf } from './program.ts';

nothingWithEpipe();
readSecretFiles();
try {
  await programOf(await commandsFor(process.argv.slice(2))).parseAsync();
} catch (error) {
  if (error instanceof CommanderError) {
    // Its words were printed. Help and version are no errors.
    process.exitCode = error.exitCode === 0 ? 0 : CLI_EXIT.usage;
  } else {
    const { text, code } = explain(error);
    process.stderr.write(`${printable(text)}\n`);
    process.exitCode = code;
  }
}
