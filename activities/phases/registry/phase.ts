import { z } from 'zod';
import { internalAddress } from '../../../contracts/cluster.ts';
import { dataDirectory } from '../../../contracts/data-directory.ts';
import { ipv4, version } from '../../../contracts/primitives.ts';
import { CURL } from '../../host/direct.ts';
import { imageFiles, repositoryOf } from '../../kube/images.ts';
import { installAll } from '../../kube/install.ts';
import {
  BIN_DIR,
  REGISTRY_DIR,
  REGISTRY_ENDPOINT,
  REGISTRY_HOSTNAME,
  REGISTRY_PORT,
  REGISTRY_STATE_DIR,
} from '../../kube/paths.ts';
import { REFUSES_STRANGERS } from '../../kube/refuses-strangers.ts';
import { registryClientLeaf } from '../../kube/registry-client.ts';
import { daemonUnit } from '../../render/unit.ts';
import { directory } from '../../resources/directory.ts';
import { file } from '../../resources/file.ts';
import { service } from '../../resources/service.ts';
import { user } from '../../resources/user.ts';
import { CATALOGUE } from '../catalogue.ts';
import { definePhase, type PhaseContext } from '../phase.ts';
import { requirementsOfCluster } from '../requires.ts';
import { REGISTRY } from './artifacts.ts';
import { registryConfig } from './config.ts';
import { registryImage } from './image-resource.ts';

const USER = 'registry';
const CONFIG = `${REGISTRY_DIR}/config.yml`;
const TLS = {
  ca: `${REGISTRY_DIR}/ca.crt`,
  cert: `${REGISTRY_DIR}/server.crt`,
  key: `${REGISTRY_DIR}/server.key`,
  clientCert: `${REGISTRY_DIR}/client.crt`,
  clientKey: `${REGISTRY_DIR}/client.key`,
};

const IMAGE_NAMES = CATALOGUE.images.map(({ name }) => name);

const options = z.strictObject({
  version: version.default(REGISTRY.version),
  storageDir: dataDirectory.default(REGISTRY_STATE_DIR),
  preload: z
    .array(z.enum(IMAGE_NAMES as [string, ...string[]]))
    .max(IMAGE_NAMES.length)
    .default([])
    .describe('More images of the catalogue, in addition to those that the enabled phases need'),
});
type Options = z.output<typeof options>;

const artifacts = ({ version }: Options) => [{ artifact: REGISTRY, version }];

/** The cluster's own image registry, for clients with a certificate of its authority only, filled from the mirror. */
export default definePhase({
  name: 'registry',
  title: 'Image registry',
  hosts: 'registry',
  needs: [
    { phase: 'prepare', on: 'same-host' },
    { phase: 'pki', on: 'every-host' },
  ],
  timeouts: { applyMs: 10 * 60_000, verifyMs: 60_000 },
  expectedMs: 6_000,
  keepsRunning: { units: ['registry'] },
  options,
  requires: ({ options }) => ({
    artifacts: artifacts(options),
    ports: [{ protocol: 'tcp', port: REGISTRY_PORT, what: 'registry', holder: `${BIN_DIR}/registry`, from: ['all'] }],
  }),
  folders: ({ storageDir }) => [{ path: storageDir, option: ['storageDir'] }, { path: REGISTRY_DIR }],
  resources: async (context) => {
    const { host, pki, options } = context;
    const address = internalAddress(host);
    const server = await pki.leaf({
      authority: 'registry',
      name: `registry-server/${host.name}`,
      commonName: REGISTRY_HOSTNAME,
      dnsNames: [REGISTRY_HOSTNAME, host.name, 'localhost'],
      ipAddresses: [...(ipv4.safeParse(address).success ? [address] : []), '127.0.0.1'],
      usages: ['server'],
    });
    const client = await registryClientLeaf(pki, host);
    return [
      user(USER, { home: options.storageDir }),
      directory(options.storageDir, { mode: 0o750, owner: USER, group: USER }),
      directory(REGISTRY_DIR),
      ...(await installAll(context, artifacts(options))),
      file(TLS.ca, server.ca),
      file(TLS.cert, server.cert),
      file(TLS.key, server.key, { mode: 0o600, owner: USER, group: USER }),
      file(TLS.clientCert, client.cert),
      file(TLS.clientKey, client.key, { mode: 0o600 }),
      file(
        CONFIG,
        registryConfig({
          port: REGISTRY_PORT,
          storageDir: options.storageDir,
          cert: TLS.cert,
          key: TLS.key,
          clientCa: TLS.ca,
        }),
      ),
      service('registry', {
        unit: unit(options),
        restartOn: [`${BIN_DIR}/registry`, CONFIG, TLS.ca, TLS.cert, TLS.key],
        fills: [options.storageDir, `${options.storageDir}/docker`],
      }),
      ...(await preloads(context)),
    ];
  },
  async verify({ remote, fail, unitJournal }) {
    const { stdout } = await remote.script(
      CHECK,
      [`https://${REGISTRY_ENDPOINT}/v2/`, TLS.ca, TLS.clientCert, TLS.clientKey],
      { timeoutMs: 30_000 },
    );
    if (stdout.trim() !== 'ready') {
      fail('VERIFY_FAILED', stdout.trim(), await unitJournal('registry.service', 20));
    }
  },
});

/** Waits until the registry answers a client with a certificate, then makes sure that it answers no other. */
const CHECK = `${REFUSES_STRANGERS}tries=0
until answer=$(${CURL} -sS -m 5 -o /dev/null -w '%{http_code}' --cacert "$2" --cert "$3" --key "$4" "$1" 2>&1) &&
  [ "$answer" = 200 ]; do
  tries=$((tries + 1))
  [ "$tries" -lt 50 ] || { echo "the registry does not answer: $answer"; exit 0; }
  sleep 0.2
done
refuses_strangers 'the registry' 4 "$2" "$1"
`;

function unit({ storageDir }: Options): string {
  return daemonUnit({
    description: 'Image registry of the cluster',
    documentation: 'https://distribution.github.io/distribution/',
    exec: [`${BIN_DIR}/registry`, 'serve', CONFIG],
    service: {
      User: USER,
      Group: USER,
      // Version 3 would send traces to a collector on localhost.
      Environment: 'OTEL_TRACES_EXPORTER=none',
      NoNewPrivileges: true,
      ProtectSystem: 'strict',
      ReadWritePaths: storageDir,
      ProtectHome: true,
      PrivateTmp: true,
    },
  });
}

/** Images that the enabled phases run, as far as the mirror has them; the others come from their upstream registries. */
async function preloads(context: PhaseContext<Options>) {
  const { cluster, artifacts, options, phases } = context;
  const required = requirementsOfCluster(cluster, phases.values())
    .flatMap(({ images = [] }) => images)
    .sort((a, b) => a.sizeMiB - b.sizeMiB);
  const named = options.preload.flatMap((name) => CATALOGUE.images.filter((image) => image.name === name));
  const files = await Promise.all(
    [...new Set([...required, ...named])].map(async (image) => {
      // For machines of every architecture that the mirror has it for: nodes of all of them pull it by one name.
      const [first, ...others] = await imageFiles(artifacts, image);
      if (!first) return [];
      return [
        registryImage({
          file: first.file,
          ...(others.length > 0 ? { platforms: [first, ...others] } : {}),
          registry: REGISTRY_ENDPOINT,
          repository: repositoryOf(image),
          tag: first.file.version,
          tls: { ca: TLS.ca, cert: TLS.clientCert, key: TLS.clientKey },
        }),
      ];
    }),
  );
  return files.flat();
}
