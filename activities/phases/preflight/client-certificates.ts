import { CURL } from '../../host/direct.ts';
import type { OpenedCertificate } from '../phase.ts';

/** Ends the lines of a PEM text in a script. */
const END = 'END_OF_PEM';

/** A name that every sh takes for a function; names of credentials have no `_`. */
const functionOf = (credential: string): string => `curl_as_${credential.replaceAll('-', '_')}`;

/**
 * sh functions for checks that show a client certificate of the user: `curl_as CREDENTIAL WORD...` is curl with it; `-` as
 * CREDENTIAL: without one. The script goes to standard input of the host's shell, and curl reads the texts from pipes: the
 * key is on no disk and in no argument. Pure.
 */
export function certificateFunctions(certificates: ReadonlyMap<string, OpenedCertificate>): string {
  const one = ([name, { ca, certificate, privateKey }]: [string, OpenedCertificate]): string => {
    const texts = [ca, certificate, privateKey.value].map((pem) => pem.trim());
    if (texts.some((pem) => pem.includes(END))) throw new Error(`credential ${name}: no PEM text`);
    return `${functionOf(name)}() {
${CURL} --cacert /dev/fd/3 --cert /dev/fd/4 --key /dev/fd/5 "$@" 3<<'${END}' 4<<'${END}' 5<<'${END}'
${texts.map((pem) => `${pem}\n${END}\n`).join('')}}
`;
  };
  return `${[...certificates].map(one).join('')}
curl_as() {
  curl_name=$1
  shift
  if [ "$curl_name" = - ]; then ${CURL} "$@"; else "curl_as_$(printf %s "$curl_name" | tr - _)" "$@"; fi
}
`;
}
