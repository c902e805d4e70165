import { FAMILIES, familyOf, lackingPackage } from '../../../host/family/families.ts';
import type { Family } from '../../../host/family/family.ts';
import { quote } from '../../../host/quote.ts';
import { type CheckHost, defineCheck } from '../check.ts';

/** Each package that the phases of a host require and a family lacks. */
const lackingOf = (family: Family, { requirements }: CheckHost) =>
  requirements.flatMap(({ phase, packages = [], deferredPackages = [] }) =>
    [...packages, ...deferredPackages].flatMap((name) => {
      const found = lackingPackage(family, name);
      return found === null ? [] : [{ phase, name, ...found }];
    }),
  );

export default defineCheck({
  name: 'packages',
  about: 'system',
  title: 'Packages of the family',
  inspects:
    'The packages that the phases of the host require ([phases.md](phases.md)), on every host: the family of its distribution has all of them, or the host has a repository beside the distribution with them.',
  codes: ['PACKAGE_UNAVAILABLE'],
  probe: {
    // Of packages that repositories of others have. A repository that does not answer in time is not one that lacks them.
    script: `
for each; do
  program=\${each%%:*} name=\${each#*:}
  command -v "$program" >/dev/null || continue
  case $program in
${FAMILIES.map(
  ({ packageTool: { program, isInstalled, isOffered } }) =>
    `    ${program})
      set -- "$name"
      if ${isInstalled}; then say "$name" installed
      elif timeout 15 sh -c ${quote(isOffered)} sh "$name"; then say "$name" offered
      elif [ $? = 124 ]; then say "$name" unknown
      else say "$name" missing; fi ;;`,
).join('\n')}
  esac
done`,
    args: (of) => {
      const words = FAMILIES.flatMap((family) =>
        lackingOf(family, of).flatMap(({ elsewhere }) =>
          elsewhere === undefined ? [] : [`${family.packageTool.program}:${elsewhere}`],
        ),
      );
      return [...new Set(words)];
    },
  },
  evaluate(input, rows) {
    const { facts } = input;
    const family = familyOf(facts);
    const states = new Map(rows.map(([name = '', state = '']) => [name, state]));
    return lackingOf(family, input).flatMap(({ phase, name, lacks, elsewhere }) => {
      if (elsewhere !== undefined && states.get(elsewhere) !== 'missing') return [];
      const tool =
        elsewhere === undefined ? facts.packageManager : `${facts.packageManager}, which does not offer ${elsewhere}`;
      return [
        {
          code: 'PACKAGE_UNAVAILABLE' as const,
          message: `the phase ${phase} requires ${name}, which ${facts.os.name || facts.os.id} does not have`,
          evidence: `${name} (Debian's name; package manager ${tool}): ${lacks}`,
        },
      ];
    });
  },
});
