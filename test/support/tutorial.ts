import { spawn } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { checkoutRoot } from '../../cli/dev/paths.ts';

/** A step of a tutorial page, in the order of the page: a file that it writes, or commands that it runs. */
export type TutorialStep =
  | { kind: 'file'; path: string; text: string }
  /** `lab`: the commands build a cluster. */
  | { kind: 'commands'; lab: boolean; commands: string[] };

/** The blocks of a page: ```` ```ts PATH ```` is a file, ```` ```sh ```` are commands, one a line. Others are refused by an Error. */
export function tutorialSteps(page: string): TutorialStep[] {
  return [...page.matchAll(/^```(\S+)(?: (\S+))?\n([\s\S]*?)^```$/gm)].map(([, language = '', word, text = '']) => {
    if (language === 'ts' && word !== undefined) return { kind: 'file', path: word, text };
    if (language !== 'sh') throw new Error(`a block of a tutorial is a file or commands, and this is neither: ${text}`);
    return { kind: 'commands', lab: word === 'lab', commands: text.trim().split('\n') };
  });
}

/** What a copy of the sources does not need. */
const LEFT_OUT = new Set(['node_modules', '.git']);

/** A copy of the sources with the packages of this checkout. */
export function copyOfSources(): { folder: string; remove(): void } {
  const folder = mkdtempSync(join(tmpdir(), 'kubewright-tutorial-'));
  cpSync(checkoutRoot, folder, {
    recursive: true,
    filter: (path) => !LEFT_OUT.has(path.slice(checkoutRoot.length + 1)),
  });
  symlinkSync(join(checkoutRoot, 'node_modules'), join(folder, 'node_modules'));
  return { folder, remove: () => rmSync(folder, { recursive: true, force: true }) };
}

/** Follows a step in the copy. Throws an Error with the output of a command that fails. */
export async function follow(folder: string, step: TutorialStep): Promise<void> {
  if (step.kind === 'file') {
    mkdirSync(dirname(join(folder, step.path)), { recursive: true });
    writeFileSync(join(folder, step.path), step.text);
    return;
  }
  for (const command of step.commands) await run(folder, command);
}

function run(folder: string, command: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn('sh', ['-c', command], {
      cwd: folder,
      stdio: ['ignore', 'pipe', 'pipe'],
      // What vitest sets for its own workers is not for a run inside.
      env: Object.fromEntries(
        Object.entries(process.env).filter(([name]) => !/^(VITEST|KUBEWRIGHT_MATRIX)/.test(name)),
      ),
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (text: Buffer) => (output += text.toString()));
    child.on('error', reject);
    child.on('close', (code) =>
      code === 0 ? resolve() : reject(new Error(`${command}: exit code ${code}\n${output.slice(-6000)}`)),
    );
  });
}

/** The steps of a page of docs/. */
export const stepsOfPage = (page: string): TutorialStep[] =>
  tutorialSteps(readFileSync(join(checkoutRoot, 'docs', page), 'utf8'));
