/**
 * Our own addresses (API servers, etcd, the registry, the mirror) are never reached through a proxy, whatever a host says.
 * Commands get an environment of ours (command-line.ts), units drop these variables, and curl is called as below.
 */

/** The environment variables by which curl, wget, Go programs, apt and dnf learn of a proxy, in both spellings. */
export const PROXY_VARIABLES: readonly string[] = ['all', 'ftp', 'http', 'https', 'no'].flatMap((which) => [
  `${which}_proxy`,
  `${which.toUpperCase()}_PROXY`,
]);

/** Words of a curl that reads no ~/.curlrc (`-q` counts in the first place only) and asks no proxy. */
export const CURL_WORDS: readonly string[] = ['curl', '-q', '--noproxy', '*'];

/** curl that takes its proxies from the environment that a script made, for downloads from elsewhere. */
export const PROXIED_CURL = 'curl -q';

/** The same as CURL_WORDS for scripts; test/architecture holds that no script of ours calls curl otherwise. */
export const CURL = "curl -q --noproxy '*'";
