import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join, posix } from 'node:path';

/** One instruction of a Dockerfile: `COPY --from=modules a b` has the name COPY, the flag from, and the words a, b. */
export interface Instruction {
  name: string;
  /** Everything after the name and the flags, lines joined. */
  text: string;
  flags: Record<string, string>;
}

/** What stands between two FROM lines. */
export interface Stage {
  base: string;
  name: string | undefined;
  steps: Instruction[];
}

/** The stages of a Dockerfile, in order. Throws on an instruction that this parser does not know: it must not skip one. */
export function parseDockerfile(text: string): Stage[] {
  const stages: Stage[] = [];
  const joined = text
    .split('\n')
    .filter((line) => !/^\s*(#|$)/.test(line))
    .join('\n')
    .replaceAll(/\s*\\\n\s*/g, ' ');
  for (const line of joined.split('\n')) {
    const step = instructionOf(line);
    if (step.name === 'FROM') {
      const [base = '', , name] = step.text.split(/\s+/);
      stages.push({ base, name, steps: [] });
    } else {
      stages.at(-1)?.steps.push(step);
    }
  }
  return stages;
}

const KNOWN = new Set('FROM COPY RUN ENV WORKDIR USER VOLUME EXPOSE CMD ENTRYPOINT HEALTHCHECK LABEL'.split(' '));

function instructionOf(line: string): Instruction {
  const [, name = '', rest = ''] = /^\s*(\w+)\s+(.*)$/.exec(line) ?? [];
  if (!KNOWN.has(name)) throw new Error(`Dockerfile: unknown instruction: ${line}`);
  const flags: Record<string, string> = {};
  let text = rest.trim();
  for (let match = /^--(\w+)=(\S+)\s+/.exec(text); match; match = /^--(\w+)=(\S+)\s+/.exec(text)) {
    flags[match[1]!] = match[2]!;
    text = text.slice(match[0].length);
  }
  return { name, text, flags };
}

/** Whether a path is part of the build context, by the rules of .dockerignore: the last line that matches decides. */
export function buildContext(dockerignore: string): (path: string) => boolean {
  const rules = dockerignore
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => ({ included: line.startsWith('!'), pattern: globOf(posix.normalize(line.replace(/^!/, ''))) }));
  return (path) => {
    const parts = path.split('/');
    // A rule for a folder holds for all that is in it.
    const names = parts.map((_part, index) => parts.slice(0, index + 1).join('/'));
    return rules.reduce(
      (included, rule) => (names.some((name) => rule.pattern.test(name)) ? rule.included : included),
      true,
    );
  };
}

/** Docker's wildcards: `*` within a name, names that begin with a dot included, `**` over folders. */
function globOf(pattern: string): RegExp {
  const source = pattern.replaceAll(/[.+^${}()|[\]\\]/g, '\\$&').replaceAll(/\*\*\/?|\*|\?/g, (wild) => {
    if (wild === '?') return '[^/]';
    return wild === '*' ? '[^/]*' : '(?:.*/)?';
  });
  return new RegExp(`^${source}$`);
}

/** A file of the repository and where an image has it. */
export interface CopiedFile {
  /** From the root of the repository. */
  from: string;
  /** Absolute, in the image. */
  to: string;
}

/** What one COPY instruction without `--from` takes out of the repository at `root`. Throws when a source is not there. */
export function copiedFiles(root: string, step: Instruction, workdir: string): CopiedFile[] {
  const included = buildContext(readFileSync(join(root, '.dockerignore'), 'utf8'));
  const words = step.text.split(/\s+/);
  const target = words.pop() ?? '';
  const into = posix.resolve(workdir, target);
  return words.flatMap((word) => {
    const source = posix.normalize(word);
    const isFolder = statSync(join(root, source)).isDirectory();
    const files = isFolder ? filesOf(join(root, source)) : [''];
    const found = files
      .map((name) => ({
        from: name === '' ? source : `${source}/${name}`,
        // A folder's content goes into the target, a file goes into a folder that is named with a slash.
        to: isFolder ? posix.join(into, name) : target.endsWith('/') ? posix.join(into, posix.basename(source)) : into,
      }))
      .filter(({ from }) => included(from));
    if (found.length === 0) throw new Error(`COPY ${step.text}: .dockerignore leaves nothing of ${source}`);
    return found;
  });
}

function filesOf(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1));
}

/** The working directory that holds at each step of a stage. */
export function workdirs(stage: Stage): string[] {
  let current = '/';
  return stage.steps.map((step) => {
    if (step.name === 'WORKDIR') current = posix.resolve(current, step.text);
    return current;
  });
}

/** All files of the repository that the last stage copies. */
export function imageFiles(root: string): CopiedFile[] {
  const stage = parseDockerfile(readFileSync(join(root, 'Dockerfile'), 'utf8')).at(-1);
  if (!stage) throw new Error('the Dockerfile has no stage');
  const at = workdirs(stage);
  return stage.steps.flatMap((step, index) =>
    step.name === 'COPY' && step.flags['from'] === undefined ? copiedFiles(root, step, at[index]!) : [],
  );
}
