// First: @peculiar/x509 does not load without it.
import 'reflect-metadata';

import { X509Certificate as NodeCertificate, randomBytes, webcrypto } from 'node:crypto';
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  type Extension,
  type JsonGeneralName,
  type JsonName,
  KeyUsageFlags,
  KeyUsagesExtension,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509Certificate,
  X509CertificateGenerator,
} from '@peculiar/x509';
import { fromPem, toPem } from './pem.ts';
import type { LeafRequest } from './types.ts';

/** ECDSA on P-256 with SHA-256: what every Go and OpenSSL in use accepts, and a key takes a millisecond. */
const KEY = { name: 'ECDSA', namedCurve: 'P-256' } as const;
const SIGNATURE = { name: 'ECDSA', hash: 'SHA-256' } as const;

const DAY_MS = 24 * 3600 * 1000;
export const CA_LIFE_MS = 3650 * DAY_MS;
export const LEAF_LIFE_MS = 365 * DAY_MS;
/** Hosts whose clocks are a little behind ours accept a new certificate at once. */
const BACKDATED_MS = 5 * 60 * 1000;

/** A certificate with its key, PEM (the key PKCS#8). */
export interface Issued {
  cert: string;
  key: string;
}

/** A self-signed authority that signs leaves only. */
export async function issueCa(commonName: string, now: Date): Promise<Issued> {
  const keys = await newKeys();
  const subject: JsonName = [{ O: ['Kubewright'] }, { CN: [commonName] }];
  const certificate = await X509CertificateGenerator.create({
    ...validity(now, CA_LIFE_MS),
    subject,
    issuer: subject,
    publicKey: keys.publicKey,
    signingKey: keys.privateKey,
    signingAlgorithm: SIGNATURE,
    extensions: [
      new BasicConstraintsExtension(true, 0, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
      await SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return { cert: certificate.toString('pem') + '\n', key: await privatePem(keys.privateKey) };
}

/** A leaf signed by the authority. */
export async function issueLeaf(
  ca: Issued,
  request: LeafRequest,
  now: Date,
  lifeMs: number = LEAF_LIFE_MS,
): Promise<Issued> {
  const authority = new X509Certificate(ca.cert);
  const signingKey = await webcrypto.subtle.importKey('pkcs8', fromPem(ca.key), KEY, false, ['sign']);
  const keys = await newKeys();
  const names: JsonGeneralName[] = [
    ...(request.dnsNames ?? []).map((value) => ({ type: 'dns' as const, value })),
    ...(request.ipAddresses ?? []).map((value) => ({ type: 'ip' as const, value })),
  ];
  const usages = request.usages.map((usage) =>
    usage === 'server' ? ExtendedKeyUsage.serverAuth : ExtendedKeyUsage.clientAuth,
  );
  const extensions: Extension[] = [
    new BasicConstraintsExtension(false, undefined, true),
    new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
    new ExtendedKeyUsageExtension(usages),
    await SubjectKeyIdentifierExtension.create(keys.publicKey),
    await AuthorityKeyIdentifierExtension.create(authority.publicKey),
    ...(names.length > 0 ? [new SubjectAlternativeNameExtension(names)] : []),
  ];
  const certificate = await X509CertificateGenerator.create({
    ...validity(now, lifeMs),
    subject: [...(request.organizations ?? []).map((name) => ({ O: [name] })), { CN: [request.commonName] }],
    issuer: authority.subjectName,
    publicKey: keys.publicKey,
    signingKey,
    signingAlgorithm: SIGNATURE,
    extensions,
  });
  return { cert: certificate.toString('pem') + '\n', key: await privatePem(keys.privateKey) };
}

/** A key pair that is no certificate; the public one as SPKI. */
export async function issueKeyPair(): Promise<{ publicKey: string; privateKey: string }> {
  const keys = await newKeys();
  const spki = await webcrypto.subtle.exportKey('spki', keys.publicKey);
  return { publicKey: toPem('PUBLIC KEY', spki), privateKey: await privatePem(keys.privateKey) };
}

/** Serial number (hex) and end of a certificate. */
export function certificateFacts(cert: string): { serial: string; expiresAt: string } {
  const { serialNumber, notAfter } = new X509Certificate(cert);
  return { serial: serialNumber, expiresAt: notAfter.toISOString() };
}

/** True while more than a fifth of the certificate's life is left. */
export function isFresh(cert: string, now: Date): boolean {
  // Asked for each certificate in every build: Node's own parser takes a twentieth of the time.
  const { validFrom, validTo } = new NodeCertificate(cert);
  const end = Date.parse(validTo);
  return end - now.getTime() > (end - Date.parse(validFrom)) / 5;
}

function newKeys(): Promise<webcrypto.CryptoKeyPair> {
  return webcrypto.subtle.generateKey(KEY, true, ['sign', 'verify']);
}

async function privatePem(key: webcrypto.CryptoKey): Promise<string> {
  return toPem('PRIVATE KEY', await webcrypto.subtle.exportKey('pkcs8', key));
}

function validity(now: Date, lifeMs: number): { notBefore: Date; notAfter: Date; serialNumber: string } {
  // Certificates count whole seconds.
  const from = Math.floor((now.getTime() - BACKDATED_MS) / 1000) * 1000;
  const serial = randomBytes(16);
  // Positive and of full length, as RFC 5280 asks.
  serial[0] = (serial[0]! & 0x7f) | 0x40;
  return {
    notBefore: new Date(from),
    notAfter: new Date(from + lifeMs),
    serialNumber: serial.toString('hex'),
  };
}
