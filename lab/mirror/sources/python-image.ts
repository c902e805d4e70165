import { copyFile, mkdir, readdir, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { MirrorRecipe } from '../../../activities/artifacts/mirror-recipe.ts';
import { KubewrightError } from '../../../contracts/errors.ts';
import { ensureDebianPackages } from '../../debian.ts';
import { run, tail, tryRun } from '../../run.ts';
import type { ImageConfig } from '../oci.ts';
import { addRootBasics } from '../rootfs.ts';
import type { FillRoot } from './image.ts';
import { refuseOtherArch } from './other-arch.ts';

type PythonImage = Extract<MirrorRecipe, { kind: 'python-image' }>;

/** The release whose Python the image carries; the lab's hosts run the same one. */
const SUITE = 'bookworm';
/** Folder of the program and its libraries inside the image. */
const APP = '/app';
/** pip reads these from the machine: index, certificates, time limits. */
const PIP_SETTINGS = /^(PIP_|HTTPS?_PROXY|NO_PROXY|https?_proxy|no_proxy|SSL_CERT_FILE)/;
/** Only pip and the system's package tools need these; the program does not. */
const LEFT_OUT = [
  'usr/share/doc',
  'usr/share/man',
  'usr/share/locale',
  'usr/share/info',
  'usr/share/lintian',
  'usr/share/bug',
  'usr/share/python-wheels',
  'usr/lib/python3.11/ensurepip',
  'usr/lib/python3.11/idlelib',
  'usr/lib/python3.11/lib2to3',
  'usr/lib/python3.11/pydoc_data',
  'usr/lib/python3.11/test',
  'usr/bin/dpkg',
  'usr/bin/dpkg-deb',
  'usr/bin/perl',
  'usr/lib/dpkg',
  'usr/lib/apt',
  'var',
  'etc/resolv.conf',
  'root',
];

/** A Python root: Debian's interpreter, and the program from PyPI as its own interpreter installs it. */
export function pythonProgramRoot({ image, requirements, module }: PythonImage): FillRoot {
  const { name, version } = image;
  return async (rootfs, { report, arch }) => {
    refuseOtherArch(arch, `the Python of ${name} cannot be run here`);
    await ensureDebianPackages(['mmdebstrap']);
    report('download', { source: `Debian ${SUITE}: python3`, message: 'unpacking a Python root' });
    await run(
      [
        'mmdebstrap',
        '--variant=extract',
        '--include=python3,python3-distutils,python3-pip-whl',
        '--quiet',
        SUITE,
        rootfs,
      ],
      { timeoutMs: 600_000 },
    );
    await addRootBasics(rootfs, { certificates: true });
    report('download', { source: `PyPI: ${name} ${version}`, message: `installing ${name}` });
    await pipInstall(rootfs, requirements(version));
    await prune(rootfs);
    // A root that cannot even show its help is no image.
    await chroot(rootfs, ['/usr/bin/python3', '-m', module, '--help'], {
      PYTHONPATH: APP,
      PYTHONDONTWRITEBYTECODE: '1',
    });
    return { origin: 'lab', source: `${name} ${version} from PyPI on Debian ${SUITE} python3` };
  };
}

/** How the image starts its program. */
export const pythonProgramConfig = ({ module, user }: PythonImage): ImageConfig => ({
  entrypoint: ['/usr/bin/python3', '-m', module],
  user,
  env: [`PYTHONPATH=${APP}`, 'PYTHONUNBUFFERED=1', 'PYTHONDONTWRITEBYTECODE=1'],
});

async function pipInstall(rootfs: string, requirements: readonly string[]): Promise<void> {
  const wheels = join(rootfs, 'usr', 'share', 'python-wheels');
  const pip = (await readdir(wheels)).find((name) => /^pip-.*\.whl$/.test(name));
  if (pip === undefined) throw new KubewrightError('LAB_FAILED', 'python3-pip-whl holds no pip wheel');
  await copyFile('/etc/resolv.conf', join(rootfs, 'etc', 'resolv.conf'));
  const settings = Object.entries(process.env).filter(([name]) => PIP_SETTINGS.test(name));
  const env = Object.fromEntries(settings.map(([name, value]) => [name, value ?? '']));
  // A certificate bundle under another name is brought along.
  const bundle = env['PIP_CERT'];
  if (bundle !== undefined && bundle.startsWith('/')) {
    await mkdir(dirname(join(rootfs, bundle)), { recursive: true });
    await copyFile(bundle, join(rootfs, bundle));
  }
  const args = ['install', '--quiet', '--no-cache-dir', '--no-compile', '--target', APP, ...requirements];
  await chroot(rootfs, ['/usr/bin/python3', `/usr/share/python-wheels/${pip}/pip`, ...args], {
    ...env,
    PIP_ROOT_USER_ACTION: 'ignore',
    HOME: '/tmp',
  });
}

async function prune(rootfs: string): Promise<void> {
  for (const path of LEFT_OUT) await rm(join(rootfs, path), { recursive: true, force: true });
  await run(['find', rootfs, '-xdev', '-name', '__pycache__', '-prune', '-exec', 'rm', '-rf', '{}', '+']);
  await run(['find', join(rootfs, 'tmp'), '-mindepth', '1', '-delete']);
}

async function chroot(rootfs: string, argv: readonly string[], env: Record<string, string>): Promise<void> {
  const ran = await tryRun(['chroot', rootfs, ...argv], {
    env: { PATH: '/usr/bin:/bin:/usr/sbin:/sbin', LANG: 'C.UTF-8', ...env },
    timeoutMs: 600_000,
  });
  if (ran.code !== 0) {
    throw new KubewrightError('LAB_FAILED', `${argv.slice(0, 3).join(' ')} failed in the Python root`, {
      evidence: tail(`${ran.stdout}\n${ran.stderr}`),
    });
  }
}
