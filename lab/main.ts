import { Command, InvalidArgumentError } from 'commander';
import { KubewrightError } from '../contracts/errors.ts';
import { allLabs, labDown, labStatus, labUp } from './lab.ts';
import { labPaths, MAX_HOSTS } from './paths.ts';
import { type LabRoles, parseHosts } from './roles.ts';
import { restoreLab, saveLab } from './saved-state.ts';
import { LAB_SYSTEMS, labSystem } from './systems.ts';

const started = Date.now();
const report = (message: string): void => {
  process.stderr.write(`${((Date.now() - started) / 1000).toFixed(1).padStart(6)} s  ${message}\n`);
};
const line = (value: unknown): void => {
  process.stdout.write(`${JSON.stringify(value)}\n`);
};

function hostCount(text: string): number {
  const count = Number(text);
  if (!/^\d{1,2}$/.test(text) || count < 1 || count > MAX_HOSTS)
    throw new InvalidArgumentError(`give a number from 1 to ${MAX_HOSTS}`);
  return count;
}

/** An argument that a function of the lab reads; what that throws is what commander prints. */
function argument<T>(read: (text: string) => T): (text: string) => T {
  return (text) => {
    try {
      return read(text);
    } catch (error) {
      throw new InvalidArgumentError(error instanceof Error ? error.message : String(error));
    }
  };
}

const labName = argument((text) => labPaths(text).name);

interface UpOptions {
  hosts: number | LabRoles;
  controlPlanes?: number;
  name: string;
  mirror: boolean;
  with?: string[];
  os?: string;
  json?: true;
}

const program = new Command('lab').description('Real systemd hosts with sshd on this machine, for demo and tests');

program
  .command('up')
  .description('start a lab, or find the running one')
  .option(
    '--hosts <n | roles>',
    `hosts in all, 1 to ${MAX_HOSTS}, or how many of each role: control-plane=3,load-balancer=2,worker=2,spare=1 (roles: control-plane, load-balancer, etcd, worker, and spare: in no cluster)`,
    argument(parseHosts),
    3,
  )
  .option(
    '--control-planes <n>',
    'where --hosts is a number: how many of them are control planes; default 1',
    hostCount,
  )
  .option('--name <name>', 'name of the lab, at most 8 characters', labName, 'kw')
  .option('--no-mirror', 'do not start the artifact mirror')
  .option(
    '--with <phases>',
    'phases whose files the mirror has only on demand: calico,docker. Builds them the first time',
    (text: string) => text.split(','),
  )
  .option(
    '--os <system>',
    `system of the hosts: ${LAB_SYSTEMS.map(({ name }) => name).join(', ')}; those of the RHEL family have dnf, a signed repository and firewalld`,
    argument((text) => labSystem(text).name),
  )
  .option('--json', 'print one JSON line on standard output')
  .action(async (options: UpOptions) => {
    const lab = await labUp({ ...options, onProgress: report });
    report(`lab ${lab.name}: ${lab.hosts.length} hosts up`);
    if (options.json) return line(lab);
    for (const host of lab.hosts) console.log(`${host.name.padEnd(10)} ssh -i ${lab.sshKey} root@${host.address}`);
    console.log(`spec       ${lab.specFile}\nvirtual    ${lab.virtualAddress}\nmirror     ${lab.mirror ?? '(none)'}`);
  });

program
  .command('down')
  .description('stop a lab and remove all of it')
  .option('--name <name>', 'name of the lab', labName, 'kw')
  .option('--all', 'every lab of this cache')
  .action(async (options: { name: string; all?: true }) => {
    for (const name of options.all ? await allLabs() : [options.name]) await labDown(name, report);
  });

for (const [verb, what, work] of [
  ['save', 'save the disks of all hosts under a label; this powers the hosts off', saveLab],
  ['restore', 'restore all hosts to a saved state and start them', restoreLab],
] as const) {
  program
    .command(`${verb} <label>`)
    .description(what)
    .option('--name <name>', 'name of the lab', labName, 'kw')
    .action(async (label: string, { name }: { name: string }) => {
      await work(labPaths(name), label);
      report(`lab ${name}: ${verb}d ${label}`);
    });
}

program
  .command('status')
  .description('show the labs of this cache')
  .option('--json', 'print one JSON line on standard output')
  .action(async (options: { json?: true }) => {
    const labs = (await Promise.all((await allLabs()).map((name) => labStatus(name)))).filter((lab) => lab !== null);
    if (options.json) return line({ labs });
    for (const lab of labs) {
      console.log(`${lab.name}: ${lab.up ? 'up' : 'not up'}, ${lab.subnet}, mirror ${lab.mirror?.url ?? 'none'}`);
      for (const host of lab.hosts)
        console.log(`  ${host.name.padEnd(10)} ${host.address.padEnd(15)} ${host.up ? 'up' : 'down'}`);
    }
    if (labs.length === 0) console.log('no labs');
  });

try {
  await program.parseAsync();
} catch (error) {
  if (!KubewrightError.is(error)) throw error;
  const hint = error.code === 'LAB_FAILED' ? error.entry.hint : undefined;
  process.stderr.write(`${[`${error.code}: ${error.message}`, error.evidence, hint].filter(Boolean).join('\n')}\n`);
  process.exitCode = 1;
}
