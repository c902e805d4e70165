import { expect, it } from 'vitest';
import { issueCa, issueLeaf } from '../../../activities/pki/certificates.ts';
import { ssh } from '../support.ts';
import { driver, EXTENSION, extension, extensionHost, GROUP, HOST_PORT, NAMESPACE, UNLABELLED } from './objects.ts';

type SshHost = Parameters<typeof ssh>[0] & { name: string };

/** A built cluster: its hosts, the first of them a control plane, and images that its registry has. */
export interface Place {
  hosts: readonly SshHost[];
  /** Has busybox. */
  smokeImage: string;
  /** Has Python 3. */
  pythonImage: string;
}

const ADMIN = '/etc/kubewright/admin.kubeconfig';
const EDITOR = ['--as=alice', '--as-group=kubewright:editors'];

/** `sh` quoting of one word. */
const quoted = (word: string) => `'${word.replaceAll("'", `'\\''`)}'`;

/** Everything that network and storage drivers, operators and people count on in a cluster; cleans up after itself. */
export function addonChecks(placeOf: () => Place): void {
  const first = () => placeOf().hosts[0]!;
  const other = () => placeOf().hosts[1]!;
  const kubectl = (...args: string[]) => ssh(first(), `kubectl --kubeconfig ${ADMIN} ${args.map(quoted).join(' ')}`);
  const refused = (...args: string[]) =>
    kubectl(...args).then(
      (said) => `accepted: ${said}`,
      (error: { stderr?: string; message: string }) => error.stderr ?? error.message,
    );
  const withInput = (input: string, command: string, host = first()) =>
    ssh(host, `printf %s ${Buffer.from(input).toString('base64')} | base64 -d | ${command}`);
  const apply = (objects: readonly object[], ...more: string[]) =>
    withInput(
      JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects }),
      `kubectl --kubeconfig ${ADMIN} apply ${more.join(' ')} -f - 2>&1`,
    );
  const podOn = async (node: string) => {
    const names = await kubectl(
      ...['get', 'pods', '-n', NAMESPACE, '-l', 'app=driver', '-o', 'jsonpath={.items[*].metadata.name}'],
      ...['--field-selector', `spec.nodeName=${node}`],
    );
    return names.trim().split(' ')[0]!;
  };

  it('runs a privileged driver with host paths in a labelled namespace, and in no other', async () => {
    const objects = driver(placeOf().smokeImage);
    await apply(objects);
    await kubectl('rollout', 'status', '-n', NAMESPACE, 'daemonset/driver', '--timeout=120s');
    for (const host of placeOf().hosts) {
      // What it mounted in its own folder is mounted on the host: propagation is Bidirectional.
      const page = await ssh(
        host,
        'findmnt -n -o FSTYPE /var/lib/kubelet/plugins/e2e/mount && cat /var/lib/kubelet/plugins/e2e/mount/page',
      );
      expect(page.trim().split('\n')).toEqual(['tmpfs', 'driver']);
    }
    const pod = {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'privileged', namespace: UNLABELLED },
      spec: { containers: [{ name: 'a', image: placeOf().smokeImage, securityContext: { privileged: true } }] },
    };
    await expect(apply([pod])).rejects.toMatchObject({
      stdout: expect.stringContaining('violates PodSecurity "baseline'),
    });
  });

  it('leads ports of hosts and nodes to pods', async () => {
    const nodePort = await kubectl(
      'get',
      'service',
      '-n',
      NAMESPACE,
      'driver',
      '-o',
      'jsonpath={.spec.ports[0].nodePort}',
    );
    const page = (port: number | string) =>
      ssh(other(), `curl -sS -m 10 --retry 5 --retry-connrefused http://${first().address}:${port}/`);
    expect((await page(HOST_PORT)).trim()).toBe(first().name);
    expect(placeOf().hosts.map(({ name }) => name)).toContain((await page(nodePort)).trim());
  });

  it('answers exec, logs, cp, port-forward, attach to nodes and eviction', async () => {
    const pod = await podOn(other().name);
    const inPod = ['-n', NAMESPACE, pod];
    expect(await kubectl('exec', ...inPod, '--', 'cat', '/token/token')).toMatch(/^ey/);
    expect(await kubectl('exec', ...inPod, '--', 'sh', '-c', 'test -d /scratch && hostname')).toContain(pod);
    await ssh(
      first(),
      `echo copied >/tmp/e2e-cp && kubectl --kubeconfig ${ADMIN} cp -n ${NAMESPACE} /tmp/e2e-cp ${pod}:/tmp/e2e-cp`,
    );
    expect(await kubectl('exec', ...inPod, '--', 'cat', '/tmp/e2e-cp')).toContain('copied');
    expect(await kubectl('logs', ...inPod)).toBe('');
    const forward = `kubectl --kubeconfig ${ADMIN} port-forward -n ${NAMESPACE} pod/${pod} 18081:8080`;
    const forwarded = await ssh(
      first(),
      `${forward} >/tmp/e2e-forward 2>&1 & pid=$!; curl -sS -m 10 --retry 10 --retry-connrefused --retry-delay 1 http://127.0.0.1:18081/; kill $pid`,
    );
    expect(forwarded.trim()).toBe(other().name);

    const debug = await kubectl(
      ...['debug', `node/${other().name}`, '-n', NAMESPACE, `--image=${placeOf().smokeImage}`, '--profile=sysadmin'],
      ...['--', 'chroot', '/host', 'cat', '/etc/hostname'],
    );
    const debugger_ = /node-debugger-\S+/.exec(debug)![0];
    await kubectl(
      'wait',
      '-n',
      NAMESPACE,
      `pod/${debugger_}`,
      '--for=jsonpath={.status.phase}=Succeeded',
      '--timeout=60s',
    );
    expect((await kubectl('logs', '-n', NAMESPACE, debugger_)).trim()).toBe(other().name);
    expect(await kubectl('get', '--raw', `/api/v1/nodes/${other().name}/proxy/stats/summary`)).toContain('"nodeName"');

    const eviction = { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name: debugger_, namespace: NAMESPACE } };
    const path = `/api/v1/namespaces/${NAMESPACE}/pods/${debugger_}/eviction`;
    await withInput(JSON.stringify(eviction), `kubectl --kubeconfig ${ADMIN} create --raw ${path} -f -`);
  });

  it('signs certificates that were asked for and approved: clients, and kubelets’ servers', async () => {
    const request = (subject: string, names: string) =>
      ssh(
        other(),
        `openssl req -new -newkey rsa:2048 -nodes -keyout /dev/null -subj ${quoted(subject)} ${names} 2>/dev/null | base64 -w0`,
      );
    const signing = (name: string, signerName: string, csr: string, usages: string[]) => ({
      apiVersion: 'certificates.k8s.io/v1',
      kind: 'CertificateSigningRequest',
      metadata: { name },
      spec: { request: csr.trim(), signerName, usages, expirationSeconds: 3600 },
    });
    const client = signing('e2e-client', 'kubernetes.io/kube-apiserver-client', await request('/CN=bob', ''), [
      'client auth',
    ]);
    await apply([client]);
    const node = other().name;
    const names = `-addext subjectAltName=DNS:${node}`;
    const serving = signing(
      'e2e-serving',
      'kubernetes.io/kubelet-serving',
      await request(`/O=system:nodes/CN=system:node:${node}`, names),
      ['digital signature', 'server auth'],
    );
    // A kubelet asks for its own, by its own certificate.
    await withInput(
      JSON.stringify(serving),
      `curl -sS -f -m 10 --cacert /etc/kubernetes/pki/ca.crt --cert /etc/kubernetes/pki/kubelet-client.crt --key /etc/kubernetes/pki/kubelet-client.key -H 'content-type: application/json' --data-binary @- https://${first().address}:6443/apis/certificates.k8s.io/v1/certificatesigningrequests`,
      other(),
    );
    try {
      for (const name of ['e2e-client', 'e2e-serving']) {
        await kubectl('certificate', 'approve', name);
        await kubectl('wait', `csr/${name}`, '--for=jsonpath={.status.certificate}', '--timeout=30s');
        const certificate = await kubectl('get', 'csr', name, '-o', 'jsonpath={.status.certificate}');
        const issuer = await withInput(certificate, 'base64 -d | openssl x509 -noout -issuer');
        expect(issuer).toContain('Kubewright');
      }
    } finally {
      await kubectl('delete', 'csr', 'e2e-client', 'e2e-serving', '--ignore-not-found');
    }
  });

  it('asks webhooks and aggregated API servers that run in pods', async () => {
    const ca = await issueCa('e2e', new Date());
    const usages: ('server' | 'client')[] = ['server'];
    const leaf = {
      authority: 'kubernetes' as const,
      name: EXTENSION,
      commonName: extensionHost,
      dnsNames: [extensionHost],
      usages,
    };
    const serving = await issueLeaf(ca, leaf, new Date());
    await apply(extension(placeOf().pythonImage, ca, serving), '--server-side');
    await kubectl('rollout', 'status', '-n', NAMESPACE, `deployment/${EXTENSION}`, '--timeout=120s');
    await kubectl('wait', `apiservice/v1.${GROUP}`, '--for=condition=Available', '--timeout=60s');
    const callers = await kubectl('get', '--raw', `/apis/${GROUP}/v1/callers`);
    expect(JSON.parse(callers)).toMatchObject({ items: [{ user: 'kubewright-admin' }] });

    const mutated = {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'm', namespace: NAMESPACE, labels: { mutate: 'me' } },
    };
    await apply([mutated]);
    expect(await kubectl('get', 'configmap', '-n', NAMESPACE, 'm', '-o', 'jsonpath={.metadata.labels.mutated}')).toBe(
      'yes',
    );
  });

  it('keeps editors from what makes them root on nodes, and lets them work elsewhere', async () => {
    const driverPod = await podOn(other().name);
    const refusal = /editors\.kubewright\.dev.* may only look in namespace/;
    for (const namespace of ['kube-system', NAMESPACE]) {
      expect(await refused('create', 'configmap', 'x', '-n', namespace, ...EDITOR)).toMatch(refusal);
      expect(await refused('run', 'x', `--image=${placeOf().smokeImage}`, '-n', namespace, ...EDITOR)).toMatch(refusal);
      const impersonation = ['auth', 'can-i', 'impersonate', 'serviceaccounts', '-n', namespace, ...EDITOR];
      expect(await ssh(first(), `kubectl --kubeconfig ${ADMIN} ${impersonation.join(' ')} || :`)).toContain('no');
      const token = ['auth', 'can-i', 'create', 'serviceaccounts', '--subresource=token', '-n', namespace, ...EDITOR];
      expect(await ssh(first(), `kubectl --kubeconfig ${ADMIN} ${token.join(' ')} || :`)).toContain('no');
    }
    expect(await refused('exec', '-n', NAMESPACE, driverPod, ...EDITOR, '--', 'id')).toMatch(refusal);
    expect(await refused('delete', 'pod', '-n', NAMESPACE, driverPod, ...EDITOR)).toMatch(refusal);
    expect(await refused('debug', '-n', NAMESPACE, driverPod, `--image=${placeOf().smokeImage}`, ...EDITOR)).toContain(
      'forbidden',
    );
    expect(
      await refused('label', 'namespace', UNLABELLED, 'pod-security.kubernetes.io/enforce=privileged', ...EDITOR),
    ).toContain('forbidden');

    expect(await kubectl('get', 'pods', '-n', 'kube-system', ...EDITOR)).toContain('coredns');
    await kubectl('create', 'configmap', 'x', '-n', UNLABELLED, ...EDITOR);
    await kubectl('delete', 'configmap', 'x', '-n', UNLABELLED, ...EDITOR);
  });

  it('removes all of it again', async () => {
    await kubectl(
      'delete',
      `apiservice/v1.${GROUP}`,
      `mutatingwebhookconfiguration/${EXTENSION}`,
      '--ignore-not-found',
    );
    for (const host of placeOf().hosts) {
      await ssh(
        host,
        'umount /var/lib/kubelet/plugins/e2e/mount; rm -rf /var/lib/kubelet/plugins/e2e; rm -f /tmp/e2e-*',
      );
    }
    await kubectl('delete', 'namespace', NAMESPACE, UNLABELLED, '--timeout=120s');
  });
}
