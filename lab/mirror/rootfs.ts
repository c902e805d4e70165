import { chmod, copyFile, mkdir, readdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { aptGet, refreshDebianLists } from '../debian.ts';
import { run } from '../run.ts';

/** The machine's certificate bundle, where Debian and Go programs look for it. */
const CERTIFICATES = '/etc/ssl/certs/ca-certificates.crt';

/** Unpacks a Debian package of the machine's own release into `folder`, without installing it; returns `name=version`. */
export async function unpackDebian(name: string, workDir: string, folder: string): Promise<string> {
  const debs = join(workDir, `deb-${name}`);
  await mkdir(debs, { recursive: true });
  await mkdir(folder, { recursive: true });
  // Stale lists name versions that are gone from the mirror.
  await aptGet(['download', name], debs).catch(async () => {
    await refreshDebianLists();
    await aptGet(['download', name], debs);
  });
  const deb = (await readdir(debs)).find((file) => file.endsWith('.deb'));
  if (deb === undefined) throw new Error(`apt-get download ${name} left no package`);
  await run(['dpkg-deb', '-x', join(debs, deb), folder]);
  const { stdout } = await run(['dpkg-deb', '-f', join(debs, deb), 'Version']);
  return `${name}=${stdout.trim()}`;
}

/** What programs expect of any root: users, a world-writable /tmp, and the certificates where wanted. */
export async function addRootBasics(rootfs: string, options: { certificates: boolean }): Promise<void> {
  await mkdir(join(rootfs, 'etc'), { recursive: true });
  await writeFile(
    join(rootfs, 'etc', 'passwd'),
    'root:x:0:0:root:/root:/sbin/nologin\nnobody:x:65534:65534:nobody:/:/sbin/nologin\nnonroot:x:65532:65532:nonroot:/:/sbin/nologin\n',
  );
  await writeFile(join(rootfs, 'etc', 'group'), 'root:x:0:\nnogroup:x:65534:\nnonroot:x:65532:\n');
  await mkdir(join(rootfs, 'tmp'), { recursive: true });
  // chmod: mkdir's mode is subject to the umask.
  await chmod(join(rootfs, 'tmp'), 0o1777);
  await chmod(rootfs, 0o755);
  if (!options.certificates) return;
  const target = join(rootfs, CERTIFICATES);
  await mkdir(dirname(target), { recursive: true });
  await copyFile(CERTIFICATES, target);
}
