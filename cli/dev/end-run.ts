import { readdirSync, readFileSync } from 'node:fs';
import { labDown, labsOfRun } from '../../lab/lab.ts';
import { endProcess, processId } from '../../lab/processes.ts';

/**
 * `end-run.ts RUN`: removes what killed tests of a run left: labs, and processes such as services and Temporal servers.
 * Both are known by KUBEWRIGHT_RUN=RUN, in the lab's record and in the environment of the process. Tests that end by
 * themselves leave nothing; what is found is printed. Other runs and labs of the machine are left alone.
 */
const GRACE_MS = 10_000;

const [run] = process.argv.slice(2);
if (!run) throw new Error('usage: end-run.ts RUN');

/** This process and those that started it: they belong to the run and go on. */
function ownPids(): Set<number> {
  const own = new Set<number>();
  for (let pid = process.pid; pid > 1 && !own.has(pid); ) {
    own.add(pid);
    pid = Number(/^PPid:\s*(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 1);
  }
  return own;
}

/** The command line of a process when its environment names the run; null otherwise, also when it has just ended. */
function commandOfRun(pid: number): string | null {
  try {
    if (!readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0').includes(`KUBEWRIGHT_RUN=${run}`)) return null;
    // Hosts and mirrors of labs: they go with their lab, in the right order.
    if (readFileSync(`/proc/${pid}/cgroup`, 'utf8').includes('/kwlab-')) return null;
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').join(' ').trim();
  } catch {
    return null;
  }
}

async function endProcesses(): Promise<void> {
  const own = ownPids();
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  const ending = pids.map(Number).map(async (pid) => {
    const command = own.has(pid) ? null : commandOfRun(pid);
    const id = command === null ? null : await processId(pid);
    if (id === null) return;
    console.error(`left by a test: process ${pid} ${command}`);
    await endProcess(id, GRACE_MS);
  });
  await Promise.all(ending);
}

// A process may still be at work on a lab, or start another one while it ends.
await endProcesses();
await endProcesses();
for (const name of await labsOfRun(run)) {
  console.error(`left by a test: lab ${name}`);
  await labDown(name);
}
