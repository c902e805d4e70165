import { familyOf, lackingPackage } from '../../../host/family/families.ts';
import { defineCheck } from '../check.ts';

export default defineCheck({
  name: 'packages',
  about: 'system',
  title: 'Packages of the family',
  inspects:
    'The packages that the phases of the host require ([phases.md](phases.md)), on every host: the family of its distribution has all of them.',
  codes: ['PACKAGE_UNAVAILABLE'],
  evaluate({ facts, requirements }) {
    const family = familyOf(facts);
    return requirements.flatMap(({ phase, packages = [], deferredPackages = [] }) =>
      [...packages, ...deferredPackages].flatMap((name) => {
        const reason = lackingPackage(family, name);
        if (reason === null) return [];
        return [
          {
            code: 'PACKAGE_UNAVAILABLE' as const,
            message: `the phase ${phase} requires ${name}, which ${facts.os.name || facts.os.id} does not have`,
            evidence: `${name} (Debian's name; package manager ${facts.packageManager}): ${reason}`,
          },
        ];
      }),
    );
  },
});
