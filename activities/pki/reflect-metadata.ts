/**
 * @peculiar/x509 wires its parts with tsyringe, which refuses to load without the metadata functions of a polyfill. It
 * only asks what the constructors of x509's own classes take, and they take nothing: "nothing known" is the true answer.
 * Import this file before @peculiar/x509.
 */
const reflect = Reflect as typeof Reflect & Record<'getMetadata' | 'getOwnMetadata', (() => unknown) | undefined>;
reflect.getMetadata ??= () => undefined;
reflect.getOwnMetadata ??= () => undefined;
