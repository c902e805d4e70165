import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { addressVerdict, type CredentialUse } from '../../contracts/credential-use.ts';
import { KubewrightError } from '../../contracts/errors.ts';
import { type CredentialResolverDeps, refusedCredential, storedCredential } from './credentials.ts';

/** A certificate by which clients prove to a server of others who they are, and the authorities that its certificate is checked with. PEM. */
export interface ClientCertificate {
  kind: 'client-certificate';
  /** The client's own certificate first, intermediate ones after it. */
  certificate: string;
  /** Not encrypted. */
  privateKey: string;
  ca: string;
}

/** A chain has two or three certificates, a bundle of private authorities a few. */
const MOST_CERTIFICATES = 50;
/** RFC 5280, section 4.2.1.12: purposes of a certificate that let its holder act as a TLS client. */
const CLIENT_PURPOSES = ['1.3.6.1.5.5.7.3.2', '2.5.29.37.0'];
/** What Go's TLS, so etcd, takes from clients. */
const KEY_TYPES = ['rsa', 'ec', 'ed25519'];

/** Why a text is no client certificate. One sentence without key material. */
class CertificateUnusable extends Error {
  override name = 'CertificateUnusable';
}

/**
 * The certificate with plain PEM (other text and line ends of Windows removed), when the key belongs to it and clients can
 * use it at `now`. `label` is the name of the credential, for messages. Throws CLIENT_CERTIFICATE_UNUSABLE.
 */
export function checkedClientCertificate<C extends ClientCertificate>(given: C, label: string, now = new Date()): C {
  try {
    return { ...given, ...readClientCertificate(given, now) };
  } catch (error) {
    if (!(error instanceof CertificateUnusable)) throw error;
    throw new KubewrightError(
      'CLIENT_CERTIFICATE_UNUSABLE',
      `the client certificate ${label} cannot be used: ${error.message}`,
    );
  }
}

function readClientCertificate(
  given: ClientCertificate,
  now: Date,
): Pick<ClientCertificate, 'certificate' | 'privateKey' | 'ca'> {
  const chain = certificates(given.certificate, 'certificate');
  const authorities = certificates(given.ca, 'ca');
  const [own] = chain as [X509Certificate, ...X509Certificate[]];
  const key = privateKeyOf(given.privateKey);
  if (!own.checkPrivateKey(key)) {
    const other = chain.some((each) => each.checkPrivateKey(key));
    throw new CertificateUnusable(
      other
        ? 'certificate begins with another certificate than that of the private key; put the certificate of the client first'
        : `privateKey does not belong to the certificate of ${subjectOf(own)}`,
    );
  }
  if (!KEY_TYPES.includes(key.asymmetricKeyType ?? ''))
    throw new CertificateUnusable(`privateKey is of type ${key.asymmetricKeyType}; RSA, ECDSA and Ed25519 can be used`);
  for (const each of chain) requireValidity(each, now);
  // Node's name for the extended key usage; absent: any purpose.
  const purposes = own.keyUsage as string[] | undefined;
  if (purposes && !purposes.some((each) => CLIENT_PURPOSES.includes(each))) {
    throw new CertificateUnusable(
      `the certificate of ${subjectOf(own)} is not for clients: its extended key usage has no clientAuth`,
    );
  }
  const roots = authorities.filter(({ ca }) => ca);
  if (roots.length === 0) {
    throw new CertificateUnusable(
      `ca has no certificate of an authority (basicConstraints CA:TRUE), only that of ${subjectOf(authorities[0]!)}`,
    );
  }
  const expired = roots.every(({ validTo }) => Date.parse(validTo) <= now.getTime());
  if (expired) throw new CertificateUnusable(`ca expired at ${dateOf(roots[0]!.validTo)}`);
  return {
    certificate: chain.map((each) => each.toString()).join(''),
    privateKey: key.export({ type: 'pkcs8', format: 'pem' }).toString(),
    ca: authorities.map((each) => each.toString()).join(''),
  };
}

const BLOCK = /-----BEGIN ([A-Z0-9 ]{1,40})-----[^-]*-----END \1-----/g;

const blocks = (text: string) =>
  [...text.matchAll(BLOCK)].map(([block, label = '']) => ({ label, block: block.replaceAll('\r', '') }));

/** The certificates of a PEM text, at least one. `field` is the name of the field, for messages. */
function certificates(text: string, field: 'certificate' | 'ca'): X509Certificate[] {
  const found = blocks(text).filter(({ label }) => label === 'CERTIFICATE' || label === 'TRUSTED CERTIFICATE');
  if (found.length === 0) {
    const [other] = blocks(text);
    const instead = other ? `, but ${other.label}` : text.includes('-----BEGIN') ? '; its END line is missing' : '';
    throw new CertificateUnusable(`${field} has no certificate in PEM form${instead}`);
  }
  if (found.length > MOST_CERTIFICATES)
    throw new CertificateUnusable(`${field} has ${found.length} certificates, at most ${MOST_CERTIFICATES} are taken`);
  return found.map(({ block }, index) => {
    try {
      return new X509Certificate(block);
    } catch {
      throw new CertificateUnusable(`certificate ${index + 1} of ${field} cannot be parsed`);
    }
  });
}

function privateKeyOf(text: string): KeyObject {
  const keys = blocks(text).filter(({ label }) => label.endsWith('PRIVATE KEY'));
  const [found] = keys;
  if (!found) throw new CertificateUnusable('privateKey has no private key in PEM form');
  if (keys.length > 1) throw new CertificateUnusable(`privateKey has ${keys.length} private keys`);
  if (found.label === 'ENCRYPTED PRIVATE KEY' || found.block.includes('Proc-Type: 4,ENCRYPTED')) {
    throw new CertificateUnusable(
      'privateKey is encrypted, and the API servers cannot ask for a passphrase; decrypt it with openssl pkey -in KEY (it is stored encrypted)',
    );
  }
  if (found.label === 'OPENSSH PRIVATE KEY')
    throw new CertificateUnusable('privateKey is a key of SSH; send the one that the certificate was requested with');
  try {
    return createPrivateKey(found.block);
  } catch {
    throw new CertificateUnusable('privateKey cannot be parsed; send PKCS#8, PKCS#1 or SEC1 in PEM');
  }
}

function requireValidity(certificate: X509Certificate, now: Date): void {
  const { validFrom, validTo } = certificate;
  if (Date.parse(validTo) <= now.getTime())
    throw new CertificateUnusable(`the certificate of ${subjectOf(certificate)} expired at ${dateOf(validTo)}`);
  if (Date.parse(validFrom) > now.getTime())
    throw new CertificateUnusable(
      `the certificate of ${subjectOf(certificate)} is valid from ${dateOf(validFrom)} on only`,
    );
}

const dateOf = (text: string): string => new Date(text).toISOString();
/** The names of a subject on one line, cut: it is input of the user. */
const subjectOf = ({ subject }: X509Certificate): string =>
  subject ? subject.replaceAll('\n', ', ').slice(0, 200) : '(no subject)';

/** The client certificate for this use by this cluster. Throws SSH_CREDENTIAL_UNUSABLE, as for logins to hosts, and CLIENT_CERTIFICATE_UNUSABLE. */
export async function openClientCertificate(
  deps: CredentialResolverDeps,
  cluster: string,
  use: CredentialUse,
): Promise<ClientCertificate> {
  const name = 'name' in use.credential ? use.credential.name : '';
  const { clusters: _clusters, addresses, ...found } = await storedCredential(deps, cluster, use, name);
  if (found.kind !== 'client-certificate')
    throw refusedCredential(deps.logger, cluster, use, name, 'it is no client certificate');
  // Hosts resolve the name of the server, each for itself: only the name as it stands can be compared.
  if (addressVerdict({ addresses }, use) !== 'allowed') {
    throw refusedCredential(deps.logger, cluster, use, name, 'its addresses do not list the name of the server');
  }
  return checkedClientCertificate(found, name);
}
