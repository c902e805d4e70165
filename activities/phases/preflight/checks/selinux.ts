import { familyOf } from '../../../host/family/families.ts';
import { requiredSelinux } from '../../required.ts';
import { defineCheck, type Problem } from '../check.ts';

/** The policy that the rules of the phases, and container-selinux, are made for. */
const POLICY = 'targeted';
/** Programs that set booleans and labels, of packages that a system with SELinux has. */
const PROGRAMS = ['getsebool', 'setsebool', 'restorecon'];

/** `Current mode: enforcing` of sestatus, by its words. */
const fieldsOf = (rows: readonly (readonly string[])[]): ReadonlyMap<string, string> =>
  new Map(
    rows.flatMap(([word, key, value]) => (word === 'status' && key && value !== undefined ? [[key, value]] : [])),
  );

export default defineCheck({
  name: 'selinux',
  about: 'system',
  title: 'SELinux',
  inspects:
    '`sestatus` on every host that has it: where SELinux is on, its policy is `targeted`, the family has policies for containers, and the programs are there that set booleans and labels. SELinux stays as it is: enforcing, permissive or off.',
  codes: ['SELINUX_UNSUPPORTED'],
  probe: {
    script: `
command -v sestatus >/dev/null || return 0
sestatus 2>/dev/null | head -n 40 | while IFS=: read -r key value; do
  say status "$key" "$(printf '%s' "$value" | sed 's/^[ \\t]*//')"
done
for program; do command -v "$program" >/dev/null || say lacks "$program"; done`,
    args: () => PROGRAMS,
  },
  evaluate({ facts, requirements }, rows) {
    const fields = fieldsOf(rows);
    if (fields.get('SELinux status') !== 'enabled') return [];
    const mode = fields.get('Current mode') ?? '';
    const evidence = `sestatus: ${['SELinux status', 'Loaded policy name', 'Current mode'].map((key) => `${key} ${fields.get(key) ?? '?'}`).join(', ')}`;
    const problem = (message: string): Problem<'SELINUX_UNSUPPORTED'> => ({
      code: 'SELINUX_UNSUPPORTED',
      message,
      evidence,
    });
    const problems: Problem<'SELINUX_UNSUPPORTED'>[] = [];
    const policy = fields.get('Loaded policy name') ?? '';
    if (policy !== POLICY)
      problems.push(problem(`SELinux has the policy ${policy || 'without a name'}, not ${POLICY}`));
    const family = familyOf(facts);
    // Permissive, what the policy does not know is only logged.
    const { policies } = requiredSelinux(requirements);
    if (mode === 'enforcing' && policies.length > 0 && !family.hasContainerPolicies) {
      problems.push(
        problem(
          `SELinux is enforcing, and ${facts.os.name || facts.os.id} has no policy for containers (${policies.join(', ')})`,
        ),
      );
    }
    const lacking = rows.flatMap(([word, program = '']) => (word === 'lacks' ? [program] : []));
    if (lacking.length > 0)
      problems.push(problem(`SELinux is on, and these programs are missing: ${lacking.join(', ')}`));
    return problems;
  },
});
