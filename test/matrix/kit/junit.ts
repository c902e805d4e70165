/** What came of a part of the suite. */
export interface SuiteOutcome {
  passed: number;
  /** Names of the specs that failed, with the first line of why. */
  failed: string[];
}

const ENTITIES: Readonly<Record<string, string>> = { lt: '<', gt: '>', quot: '"', apos: "'", amp: '&' };
const decoded = (text: string): string =>
  text.replaceAll(/&(?:(lt|gt|quot|apos|amp)|#(\d+)|#x([0-9A-Fa-f]+));/g, (_, name, dec, hex) =>
    name ? ENTITIES[name as string]! : String.fromCodePoint(dec ? Number(dec) : Number.parseInt(hex as string, 16)),
  );

/** Reads the report of ginkgo, which has a `testcase` for each spec, those that were not chosen as `skipped`. Throws an Error for one without specs that ran. */
export function junitOutcome(xml: string): SuiteOutcome {
  const outcome: SuiteOutcome = { passed: 0, failed: [] };
  for (const [, head = '', , body = ''] of xml.matchAll(/<testcase ([^>]*?)(\/>|>([\s\S]*?)<\/testcase>)/g)) {
    const attribute = (name: string) => decoded(new RegExp(`(?:^| )${name}="([^"]*)"`).exec(head)?.[1] ?? '');
    const name = attribute('name');
    // Nodes around the specs, such as [SynchronizedBeforeSuite], count only when they fail.
    const isSpec = name.startsWith('[It]');
    const [, message] = /<(?:failure|error) message="([^"]*)"/.exec(body) ?? [];
    if (message !== undefined) outcome.failed.push(`${name.replace(/^\[It\] /, '')}: ${firstLine(decoded(message))}`);
    else if (isSpec && attribute('status') === 'passed') outcome.passed += 1;
  }
  if (outcome.passed === 0 && outcome.failed.length === 0)
    throw new Error('the report of the suite has no spec that ran');
  return outcome;
}

const firstLine = (text: string): string => text.trim().split('\n')[0]!.trim().slice(0, 300);
