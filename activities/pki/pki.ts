import { createHash, randomBytes } from 'node:crypto';
import type { SecretStore } from '../../store/secrets.ts';
import { type SecretText, secretText } from '../resources/resource.ts';
import { certificateFacts, type Issued, isFresh, issueCa, issueKeyPair, issueLeaf } from './certificates.ts';
import { kubeconfigYaml } from './kubeconfig.ts';
import type { Authority, Leaf, LeafRequest, Pki } from './types.ts';

/** What the PKI needs of the secret store. */
export type PkiSecrets = Pick<SecretStore, 'get' | 'createIfAbsent'>;

/** A leaf gets a new generation for each renewal; at one a year this is never reached. */
const MAX_GENERATIONS = 1000;

/**
 * The certificates of one cluster. Everything is made once and kept under `cluster/<name>` in the secret store. A leaf
 * is kept under its name, a digest of its request and its CA, and a generation that renewal counts up: entries are never
 * overwritten, so that two tasks that ask at the same time get the same one.
 * Mode `check` stores nothing: what is missing is made for this object only.
 */
export function createPki(options: {
  secrets: PkiSecrets;
  cluster: string;
  mode: 'apply' | 'check';
  now?: () => Date;
  /** Called with every secret that is handed out, so that output can be masked. */
  onSecret?: ((value: string) => void) | undefined;
}): Pki {
  const { secrets, cluster, mode, now = () => new Date(), onSecret = () => {} } = options;
  const scope = `cluster/${cluster}`;
  const ephemeral = new Map<string, Promise<string>>();

  const handedOut = (value: string): SecretText => {
    onSecret(value);
    return secretText(value);
  };

  async function once(name: string, make: () => Promise<string>): Promise<string> {
    if (mode === 'apply') return secrets.createIfAbsent(scope, name, make);
    const stored = await secrets.get(scope, name);
    if (stored !== null) return stored;
    const made = ephemeral.get(name) ?? make();
    ephemeral.set(name, made);
    return made;
  }

  const authority = async (name: Authority): Promise<Issued> =>
    JSON.parse(
      await once(`pki/ca/${name}`, async () => JSON.stringify(await issueCa(`${cluster} ${name} CA`, now()))),
    ) as Issued;

  async function leaf(request: LeafRequest): Promise<Leaf> {
    const ca = await authority(request.authority);
    const name = `pki/leaf/${request.name}/${requestDigest(ca, request)}`;
    for (let generation = 1; generation <= MAX_GENERATIONS; generation++) {
      const stored = await once(`${name}/${generation}`, async () =>
        JSON.stringify(await issueLeaf(ca, request, now())),
      );
      const { cert, key } = JSON.parse(stored) as Issued;
      if (isFresh(cert, now())) return { ca: ca.cert, cert, key: handedOut(key) };
    }
    throw new Error(`leaf ${request.name} has had ${MAX_GENERATIONS} generations`);
  }

  return {
    leaf,
    ca: async (name) => (await authority(name)).cert,
    storedCa: async (name) => {
      const stored = await secrets.get(scope, `pki/ca/${name}`);
      return stored === null ? null : (JSON.parse(stored) as Issued).cert;
    },
    caKey: async (name) => handedOut((await authority(name)).key),

    async keyPair(name) {
      const stored = await once(`pki/key-pair/${name}`, async () => JSON.stringify(await issueKeyPair()));
      const { publicKey, privateKey } = JSON.parse(stored) as { publicKey: string; privateKey: string };
      return { publicKey, privateKey: handedOut(privateKey) };
    },

    async randomSecret(name, bytes) {
      const make = () => Promise.resolve(randomBytes(bytes).toString('base64'));
      return handedOut(await once(`pki/random/${name}`, make));
    },

    async personalKubeconfig(request, server, lifeMs) {
      const ca = await authority(request.authority);
      const { cert, key } = await issueLeaf(ca, request, now(), lifeMs);
      handedOut(key);
      const text = kubeconfigYaml({ cluster, user: request.commonName, server, ca: ca.cert, cert, key });
      return { text: secretText(text), ...certificateFacts(cert) };
    },

    async kubeconfig(request, server) {
      const { ca, cert, key } = await leaf(request);
      const parts = { cluster, user: request.commonName, server, ca, cert, key: key.value };
      return secretText(kubeconfigYaml(parts));
    },
  };
}

/** Changes when the certificate would: other subject, names or usages, or another CA. Order of names does not matter. */
function requestDigest(ca: Issued, request: LeafRequest): string {
  const sorted = (list: readonly string[] | undefined): string[] => [...(list ?? [])].sort();
  const identity = [
    ca.cert,
    request.authority,
    request.commonName,
    sorted(request.organizations),
    sorted(request.dnsNames),
    sorted(request.ipAddresses),
    sorted(request.usages),
  ];
  return createHash('sha256').update(JSON.stringify(identity)).digest('hex').slice(0, 16);
}
