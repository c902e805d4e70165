import { keepEnds } from '../../../contracts/cut.ts';
import { LIMITS } from '../../../contracts/limits.ts';
import type { RegistryAccess } from '../../kube/registries.ts';
import type { OpenedCertificate } from '../phase.ts';
import type { Check, CheckHost, CheckInput, CheckWorld, Problem } from './check.ts';
import { certificateFunctions } from './client-certificates.ts';
import { registryFunctions } from './registry-logins.ts';

/** Lines of one check that are read, and characters of one word of them: a host may answer with anything. */
export const MAX_ROWS = 2000;
export const MAX_WORD = 4096;

const HEAD = `
export LC_ALL=C
# One write per line: the checks run side by side. No subshell: it is called for each line of an answer.
say() { said_ifs=$IFS; IFS='\t'; printf '%s\\n' "$check\t$*"; IFS=$said_ifs; }
`;

/** A name that every sh takes for a function. */
const functionOf = (name: string) => `check_${name.replaceAll('-', '_')}`;

/** What the checks with `load` answered, by their names. */
type LoadedByCheck = ReadonlyMap<string, unknown>;
/** A host as the checks together see it. */
type Probed<Host> = Host & { loaded?: LoadedByCheck };

/** The host as one check sees it. */
const seenBy = ({ name }: Check, host: Probed<CheckHost>) => ({ ...host, loaded: host.loaded?.get(name) }) as never;

/** $1... of a check's probe on a host; null: the check does not concern it. A check without probe concerns every host. */
function argsOf(check: Check, host: Probed<CheckHost>): readonly string[] | null {
  const { probe, name } = check;
  if (check.load && (host.loaded?.get(name) ?? null) === null) return null;
  return probe ? probe.args(seenBy(check, host)) : [];
}

/** What the checks need from the store, side by side. Throws the first error of one. */
export async function loadChecks(checks: readonly Check[], world: CheckWorld): Promise<LoadedByCheck> {
  const loaded = checks.flatMap((check) =>
    check.load ? [check.load(world).then((value) => [check.name, value])] : [],
  );
  return new Map((await Promise.all(loaded)) as [string, unknown][]);
}

/**
 * The one script for a host and its arguments. Pure. `text` holds no value of the spec, but `certificates`, by the names of their
 * credentials, and what `registries` are reached with: they are secret.
 */
export function probeScript(
  checks: readonly Check[],
  host: Probed<CheckHost>,
  certificates: ReadonlyMap<string, OpenedCertificate> = new Map(),
  registries: readonly RegistryAccess[] = [],
): { text: string; args: string[] } {
  const args: string[] = [];
  const bodies: string[] = [];
  const calls: string[] = [];
  for (const check of checks) {
    const { name, probe } = check;
    const own = argsOf(check, host);
    if (!probe || own === null) continue;
    const words = own.map((_, index) => `"\${${args.length + index + 1}}"`);
    args.push(...own);
    bodies.push(`${functionOf(name)}() {\n${probe.script.trim()}\n}`);
    calls.push(`(set +e; check=${name}; ${[functionOf(name), ...words].join(' ')}; say .) &`);
  }
  return {
    text: [
      HEAD,
      certificateFunctions(certificates),
      registryFunctions(registries),
      ...bodies,
      ...calls,
      'wait',
      '',
    ].join('\n'),
    args,
  };
}

/** What each check said, by its name; a check that is not here did not end. Lines that belong to no check are skipped. Pure. */
export function readAnswers(stdout: string): Map<string, string[][]> {
  const rows = new Map<string, string[][]>();
  const ended = new Set<string>();
  for (const line of stdout.split('\n')) {
    const [name = '', ...words] = line.split('\t');
    if (words.length === 0) continue;
    const own = rows.get(name) ?? [];
    rows.set(name, own);
    if (words.length === 1 && words[0] === '.') ended.add(name);
    else if (own.length < MAX_ROWS) own.push(words.map((word) => word.slice(0, MAX_WORD)));
  }
  return new Map([...rows].filter(([name]) => ended.has(name)));
}

/** The names of the checks that were asked on the host and did not answer to their end. Pure. */
export function unanswered(
  checks: readonly Check[],
  host: Probed<CheckHost>,
  answers: ReadonlyMap<string, unknown>,
): string[] {
  return checks
    .filter((check) => check.probe && argsOf(check, host) !== null && !answers.has(check.name))
    .map(({ name }) => name);
}

/** All problems of a host, the most basic first. Pure. */
export function evaluate(
  checks: readonly Check[],
  input: Probed<CheckInput>,
  answers: ReadonlyMap<string, string[][]>,
): Problem[] {
  return checks
    .filter((check) => argsOf(check, input) !== null)
    .flatMap((check) => check.evaluate(seenBy(check, input), answers.get(check.name) ?? []));
}

/** One text of all problems, each with its code, message and evidence; long ones are cut so that all have room. Pure. */
export function evidenceOf(problems: readonly Problem[]): string {
  if (problems.length === 1) return problems[0]!.evidence;
  const texts = problems.map(({ code, message, evidence }) => ({ head: `${code}: ${message}\n  `, evidence }));
  const whole = ({ head, evidence }: (typeof texts)[number]): number => head.length + evidence.length;
  // What short ones leave free, the long ones share.
  let left = LIMITS.evidenceChars - problems.length;
  let room = 0;
  [...texts]
    .sort((a, b) => whole(a) - whole(b))
    .forEach((text, index) => {
      room = Math.max(Math.floor(left / (texts.length - index)), 40);
      left -= Math.min(whole(text), room);
    });
  const fitted = (text: (typeof texts)[number]): string => {
    const { head, evidence } = text;
    if (whole(text) <= room) return head + evidence;
    return room - head.length < 40
      ? `${head}${evidence}`.slice(0, room - 3).concat('...')
      : head + keepEnds(evidence, room - head.length);
  };
  return texts.map(fitted).join('\n').slice(0, LIMITS.evidenceChars);
}
