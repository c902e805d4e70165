import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { makeBare, onHost, packageNames, type SpecDraft, startOnHost, Workbench } from './support.ts';

/** The package manager of a task is killed in mid-run, at every stage of its work; the task runs again. */

const lab = inject('lab');
const HOST = lab.hosts.at(-1)!.name;
const bench = new Workbench(lab);
let bare: string[];
let undisturbed: string;

const prepare = { phase: 'prepare', host: HOST, change: (spec: SpecDraft) => void (spec.ssh['user'] = 'admin') };

/** Every package with its state, what dpkg finds wrong, and what an interrupted run would have left. */
const packageStates = (): Promise<string> =>
  onHost(
    lab,
    HOST,
    `dpkg-query -W -f '\${db:Status-Abbrev} \${Package} \${Version}\\n'
    dpkg --audit; ls /var/lib/dpkg/updates /var/lib/apt/lists/partial
    ls /var/lib/kubewright/packages-at-work 2>/dev/null || :
    find /run/kubewright /run -maxdepth 5 -name 'tmp.*' -o -maxdepth 5 -name 'kubewright-tmp*'`,
  );

/**
 * Waits on the host until the condition (sh) holds, then so many seconds more, and kills the session of the apt-get that
 * runs: all of it, or only its leader, so that the package manager lives on.
 */
async function ambush(condition: string, seconds: number, whole: boolean): Promise<() => Promise<void>> {
  await onHost(
    lab,
    HOST,
    `cat >/run/kwtest-ambush <<'END'
until pgrep -x apt-get >/dev/null && { ${condition}; }; do [ -e /run/kwtest-stop ] && exit 0; sleep 0.02; done
sleep ${seconds}
apt=$(pgrep -xo apt-get) || { echo late >/run/kwtest-done; exit 0; }
read -r _ _ _ _ _ session _ <"/proc/$apt/stat"
${whole ? 'pkill -KILL -s "$session"' : 'kill -KILL "$session"'}
echo killed >/run/kwtest-done
END
    rm -f /run/kwtest-done /run/kwtest-stop`,
  );
  return startOnHost(lab, HOST, { unit: 'kwtest-ambush', argv: ['sh', '/run/kwtest-ambush'], ready: 'true' });
}

beforeAll(async () => {
  await bench.open();
  bare = await packageNames(lab, HOST);
  await makeBare(lab, HOST, bare);
  await bench.run(prepare);
  undisturbed = await packageStates();
});
afterAll(async () => {
  await onHost(lab, HOST, 'touch /run/kwtest-stop; dpkg --configure -a >/dev/null 2>&1 || :; rm -f /run/kwtest-*');
  await makeBare(lab, HOST, bare);
  await bench.close();
});

const dpkg = (what: string) => `pgrep -f "dpkg .*--${what}" >/dev/null`;

test.each([
  { at: 'while apt reads its lists', lists: false, when: 'ls -A /var/lib/apt/lists/partial | grep -q .', after: 0 },
  { at: 'as apt starts', when: 'true', after: 0 },
  { at: 'as dpkg starts to unpack', when: dpkg('unpack'), after: 0 },
  { at: 'while dpkg unpacks', when: dpkg('unpack'), after: 0.15 },
  { at: 'while dpkg unpacks, later', when: dpkg('unpack'), after: 0.4 },
  { at: 'as dpkg starts to configure', when: dpkg('configure'), after: 0 },
  { at: 'while dpkg configures', when: dpkg('configure'), after: 0.15 },
  { at: 'while dpkg unpacks, and only the script around it', when: dpkg('unpack'), after: 0.1, whole: false },
])(
  'killed $at',
  async ({ when, after, lists = true, whole = true }) => {
    await makeBare(lab, HOST, bare);
    if (!lists) await onHost(lab, HOST, 'rm -rf /var/lib/apt/lists/*');
    const end = await ambush(when, after, whole);
    const first = await bench.run(prepare).then(
      () => 'went through',
      () => 'failed',
    );
    const delivery = await onHost(lab, HOST, 'touch /run/kwtest-stop; cat /run/kwtest-done 2>/dev/null || echo missed');
    await end();
    // On a fast machine a stage may be over before the blow falls; then the first run has simply gone through.
    expect([delivery.trim(), first]).toEqual(
      delivery.startsWith('killed') ? ['killed', 'failed'] : [delivery.trim(), 'went through'],
    );
    await bench.run(prepare);
    expect(await packageStates()).toBe(undisturbed);
    expect((await bench.run(prepare)).changes).toEqual([]);
  },
  600_000,
);
