import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Server } from 'node:http';
import { Server as TlsServer } from 'node:https';
import { createSecureContext } from 'node:tls';
import type { FastifyBaseLogger } from 'fastify';

/** Paths of a certificate (with its chain) and its key, in PEM. */
export interface TlsFiles {
  cert: string;
  key: string;
}

/** A certificate and its key, in PEM, that belong together. */
export interface TlsPair {
  cert: string;
  key: string;
}

/**
 * How often the files are read again, ms. By content and not by the kernel's events: tools replace files and folders
 * behind symbolic links, on file systems without events.
 */
const CHECK_EVERY_MS = 5_000;

/** Reads both files. Throws one sentence when one cannot be read, is no PEM, or they do not belong together. */
export function readTls(files: TlsFiles): TlsPair {
  const pair = { cert: read('KUBEWRIGHT_TLS_CERT', files.cert), key: read('KUBEWRIGHT_TLS_KEY', files.key) };
  try {
    createSecureContext(pair);
  } catch (error) {
    throw new Error(
      `the certificate ${files.cert} and the key ${files.key} cannot be used: ${error instanceof Error ? error.message : String(error)}`,
      { cause: error },
    );
  }
  return pair;
}

/**
 * Gives the server a new certificate whenever the files change; open connections go on with the old one. What cannot be
 * used (half written, another key, not valid today) is reported once and leaves the old one in place.
 * Returns how to end. `everyMs` is for tests.
 */
export function watchTls(
  server: Server,
  files: TlsFiles,
  present: TlsPair,
  logger: FastifyBaseLogger,
  everyMs = CHECK_EVERY_MS,
): () => void {
  if (!(server instanceof TlsServer)) throw new TypeError('the server does not use TLS');
  let served = present;
  let reported = '';
  const timer = setInterval(() => {
    try {
      const found = readTls(files);
      if (found.cert === served.cert && found.key === served.key) {
        reported = '';
        return;
      }
      const { validFrom, validTo } = new X509Certificate(found.cert);
      if (!isNow(validFrom, validTo))
        throw new Error(`the certificate ${files.cert} is valid from ${validFrom} to ${validTo}`);
      server.setSecureContext(found);
      served = found;
      reported = '';
      logger.info({ file: files.cert, validTo }, 'the API uses the new TLS certificate');
    } catch (error) {
      const problem = error instanceof Error ? error.message : String(error);
      if (problem === reported) return;
      reported = problem;
      logger.error({ err: error }, 'the API cannot use the new TLS certificate and keeps the old one');
    }
  }, everyMs);
  timer.unref();
  return () => clearInterval(timer);
}

const isNow = (from: string, to: string): boolean => Date.parse(from) <= Date.now() && Date.now() <= Date.parse(to);

function read(variable: string, path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new Error(`${variable}: ${path} cannot be read: ${(error as NodeJS.ErrnoException).code ?? String(error)}`, {
      cause: error,
    });
  }
}
