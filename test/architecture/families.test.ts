import { expect, it } from 'vitest';
import { sources } from './source-files.ts';

/** The names of families and of their package managers, as code has them. */
const NAMES = /(['"`])(?:apt|apt-get|dnf|yum|debian|rhel)\1|\b(?:apt|dnf|yum)\s*[:?]|\bpackageManager\s*[!=]==/;

const PLACES = [
  // One object per family.
  /^activities\/host\/family\//,
  // The scripts of each package manager, their list, and the kind of resource that has one list of names for each.
  /^activities\/resources\/(?:apt|dnf|package-tools|packages)\.ts$/,
  // The type of the fact.
  /^activities\/host\/types\.ts$/,
];

/** Lines of code outside these places that name a family or its package manager. */
const branches = (path: string, text: string): string[] =>
  PLACES.some((place) => place.test(path))
    ? []
    : text
        .split('\n')
        .flatMap((line, index) =>
          NAMES.test(line.replace(/\/\/.*$/, '')) ? [`${path}:${index + 1}: ${line.trim()}`] : [],
        );

it('only the families branch on a family or its package manager', () => {
  const checked = sources().filter(({ path }) =>
    /^(?:contracts|workflows|activities|store|api|worker|audit)\//.test(path),
  );
  expect(checked.flatMap(({ path, text }) => branches(path, text))).toEqual([]);
});

it.each([
  "const PACKAGES = { apt: ['chrony'], dnf: ['chrony'] };",
  "const unit = facts.packageManager === 'none' ? 1 : 2;",
  "const family = facts.os.id === 'rhel' ? 1 : 2;",
  'if (tool === "dnf") return;',
])('finds a branch: %s', (line) => {
  expect(branches('activities/phases/x/phase.ts', line)).toHaveLength(1);
  expect(branches('activities/host/family/x.ts', line)).toEqual([]);
});
