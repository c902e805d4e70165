import { CURL } from '../../host/direct.ts';
import type { RegistryAccess } from '../../kube/registries.ts';

/** Ends the lines of a text in a script. */
const END = 'END_OF_TEXT';

/**
 * sh: `curl_registry NUMBER WORD...` is curl with the authorities, client certificate and login of that registry of the spec; `-` as
 * NUMBER: with nothing. The script goes to standard input of the host's shell, and curl reads the texts from pipes: secrets are
 * on no disk and in no argument. Pure.
 */
export function registryFunctions(registries: readonly RegistryAccess[]): string {
  const one = ({ ca, client, login }: RegistryAccess, index: number): string => {
    const texts = [
      ...(ca === null ? [] : [['--cacert', ca]]),
      ...(client === null
        ? []
        : [
            ['--cert', client.certificate],
            ['--key', client.privateKey.value],
          ]),
      ...(login === null ? [] : [['--config', `header = "Authorization: Basic ${login.value}"`]]),
    ] as [string, string][];
    if (texts.some(([, text]) => text.includes(END))) throw new Error(`registry ${index}: no such text`);
    const words = texts.map(([flag], at) => `${flag} /dev/fd/${at + 3}`).join(' ');
    const documents = texts.map((_, at) => `${at + 3}<<'${END}'`).join(' ');
    return `  ${index}) ${CURL} ${words} "$@" ${documents}
${texts.map(([, text]) => `${text.trim()}\n${END}\n`).join('')}    ;;
`;
  };
  return `curl_registry() {
registry=$1
shift
case $registry in
${registries.map(one).join('')}  *) ${CURL} "$@" ;;
esac
}
`;
}
