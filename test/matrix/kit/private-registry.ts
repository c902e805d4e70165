import { REGISTRY } from '../../../activities/phases/registry/artifacts.ts';
import { PAUSE } from '../../../activities/phases/runtime/public.ts';
import { issueCa, issueLeaf } from '../../../activities/pki/certificates.ts';
import type { MatrixCheck } from './case.ts';
import { type MatrixKit, until } from './kit.ts';

/** A registry of others, on the first host: TLS by an authority of its own, and basic authentication. */
export const PRIVATE_REGISTRY = 'private-registry.test:5443';
const IMAGE = `${PRIVATE_REGISTRY}/team/pause:1`;
const PASSWORD = 'lab-pull-password';
/** bcrypt of the password. */
const HTPASSWD = 'puller:$2b$05$y3W9pGfCskot7BxsiMlgs.uLrEuG4I8UYL0TBExwvXxEnWHBeNGtS';
const FOLDER = '/opt/private-registry';

const now = new Date();
const authority = await issueCa('a private registry', now);
const server = await issueLeaf(
  authority,
  {
    ...{ authority: 'registry', name: 'private', commonName: 'private-registry.test' },
    ...{ dnsNames: ['private-registry.test'], usages: ['server'] },
  },
  now,
);

/** Its entry in the spec, and the credential that it names. */
export const PRIVATE_ENTRY = { host: PRIVATE_REGISTRY, ca: authority.cert, credential: { name: 'private-registry' } };
export const PRIVATE_CREDENTIAL = {
  'private-registry': {
    ...{ kind: 'registry-login', user: 'puller', password: PASSWORD, clusters: ['*'] },
    addresses: ['private-registry.test'],
  },
};

/** Starts it on the first host, from the mirror, and gives its name to all. */
export async function startPrivateRegistry(kit: MatrixKit): Promise<void> {
  const [first] = kit.bench.lab.hosts;
  const { version } = REGISTRY;
  const file = REGISTRY.file(version, process.arch === 'arm64' ? 'arm64' : 'amd64');
  const { mirror } = kit.cluster.spec.artifacts;
  for (const { name } of kit.bench.lab.hosts)
    await kit.onHost(name, `echo '${first!.address} private-registry.test' >>/etc/hosts`);
  await kit.onHost(
    first!.name,
    `mkdir -p ${FOLDER}/bin ${FOLDER}/data
cd ${FOLDER}
curl -fsS '${mirror}/${file.mirrorPath}' | tar -xz -C bin
cat >server.crt <<'PEM'
${server.cert}
PEM
cat >server.key <<'PEM'
${server.key}
PEM
cat >ca.crt <<'PEM'
${authority.cert}
PEM
echo '${HTPASSWD}' >htpasswd
cat >config.yml <<'YAML'
version: 0.1
storage: {filesystem: {rootdirectory: ${FOLDER}/data}}
http: {addr: ':5443', tls: {certificate: ${FOLDER}/server.crt, key: ${FOLDER}/server.key}}
auth: {htpasswd: {realm: private, path: ${FOLDER}/htpasswd}}
YAML
systemd-run --quiet --unit=private-registry -E OTEL_TRACES_EXPORTER=none "$(find bin -type f -name registry)" serve ${FOLDER}/config.yml
until curl -sS --cacert ca.crt -o /dev/null https://private-registry.test:5443/v2/ 2>/dev/null; do sleep 0.2; done`,
  );
}

/** What the checks stored in it. */
export const emptyPrivateRegistry = async (kit: MatrixKit, host: string): Promise<void> =>
  void (await kit.onHost(host, `cd ${FOLDER} 2>/dev/null || exit 0; rm -rf data/docker blob manifest.json`));

/** Copies an image of the cluster's registry to it, with nothing but curl. */
const PUSH = `cd ${FOLDER}
own=https://registry.kubewright.internal:5000/v2/pause
to=https://private-registry.test:5443/v2/team/pause
from() { curl -fsS --cacert /etc/kubewright/registry/ca.crt --cert /etc/kubewright/registry/client.crt --key /etc/kubewright/registry/client.key "$@"; }
send() { curl -fsS --cacert ca.crt -u 'puller:${PASSWORD}' "$@"; }
type=application/vnd.oci.image.manifest.v1+json
from -H "Accept: $type" "$own/manifests/${PAUSE.version}" >manifest.json
for digest in $(grep -o 'sha256:[0-9a-f]*' manifest.json | sort -u); do
  from "$own/blobs/$digest" >blob
  place=$(send -D - -o /dev/null -X POST "$to/blobs/uploads/" | tr -d '\\r' | sed -n 's/^[Ll]ocation: //p')
  case $place in *[?]*) place="$place&digest=$digest" ;; *) place="$place?digest=$digest" ;; esac
  send -X PUT -H 'Content-Type: application/octet-stream' --data-binary @blob "$place"
done
send -X PUT -H "Content-Type: $type" --data-binary @manifest.json "$to/manifests/1"
curl -sS --cacert ca.crt -o /dev/null -w '%{http_code}' "$to/manifests/1"`;

/** Every node pulls from it, and it refuses who has no login. */
export const privateRegistryChecks: MatrixCheck[] = [
  { title: 'every node pulls from a private registry with the login of the spec', run: pullsOnAllNodes },
  { title: 'no login lies open on a host', run: loginsAreClosed },
];

async function pullsOnAllNodes(kit: MatrixKit): Promise<void> {
  const [first] = kit.bench.lab.hosts;
  const code = await kit.onHost(first!.name, PUSH);
  if (!code.endsWith('401')) throw new Error(`the registry answers ${code} without a login: it proves nothing`);
  const app = { app: 'private-pull' };
  await kit.apply([
    {
      ...{ apiVersion: 'apps/v1', kind: 'DaemonSet', metadata: { name: 'private-pull', namespace: 'default' } },
      spec: {
        selector: { matchLabels: app },
        template: {
          metadata: { labels: app },
          spec: {
            tolerations: [{ operator: 'Exists' }],
            terminationGracePeriodSeconds: 0,
            containers: [{ name: 'pause', image: IMAGE, imagePullPolicy: 'Always' }],
          },
        },
      },
    },
  ]);
  await until('pods of a private image on every node', 300_000, async () => {
    const { status } = await kit.get<{ status: { desiredNumberScheduled: number; numberReady?: number } }>(
      ...['daemonset', 'private-pull', '-n', 'default'],
    );
    const { desiredNumberScheduled: wanted, numberReady: ready = 0 } = status;
    if (wanted > 0 && ready === wanted) return null;
    const events = await kit.kubectl(['get', 'events', '-n', 'default', '--field-selector=reason=Failed']);
    return `${ready} of ${wanted} run\n${events}`;
  });
  await kit.kubectl(['delete', 'daemonset', 'private-pull', '-n', 'default', '--wait=true']);
}

/** Its password, and the login as HTTP has it. */
const NEEDLES = [PASSWORD, Buffer.from(`puller:${PASSWORD}`).toString('base64')];

async function loginsAreClosed(kit: MatrixKit): Promise<void> {
  for (const { name } of kit.cluster.spec.hosts) {
    const found = await kit.onHost(
      name,
      `grep -rlsF ${NEEDLES.map((each) => `-e '${each}'`).join(' ')} /etc /var/lib/kubelet/config.json /var/lib/kubewright /run/kubewright* /var/log 2>/dev/null |
while IFS= read -r file; do stat -c '%a %U %n' "$file"; done`,
    );
    const lines = found.split('\n').filter((line) => line !== '');
    if (lines.length === 0) throw new Error(`${name}: no file has the login: nothing is checked`);
    const open = lines.filter((line) => !line.startsWith('600 root '));
    if (open.length > 0) throw new Error(`${name}: others can read ${open.join(', ')}`);
  }
}
