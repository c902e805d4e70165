/**
 * What in an inventory is a secret. Inventories hold passwords in clear text: neither they nor what looks like them may stand in
 * an answer. Rather too much is hidden than too little.
 */

const SECRET_NAME =
  /pass(wd|word|phrase)?($|[_\W])|password|secret|token|credential|cred($|[_\W])|private_?key|(api|access|auth|encryption|certificate|shared|activation)_?key|authorization|vault|become_(exe|flags)/i;
/** Names of places of secrets, not of secrets. */
const PLACE_NAME = /(_|\b)(file|path|dir|directory|url)$/i;

const SECRET_VALUE = [
  /-----BEGIN/,
  /\$ANSIBLE_VAULT/,
  // A login in an address.
  /\/\/[^\s/@]*@/,
  /\b(basic|bearer)\s+\S/i,
  /(pass(wd|word|phrase)?|secret|token|sshpass)\s*[=:\s]\s*\S/i,
];

/** The reason that is listed for a secret. */
export const SECRET_REASON =
  'is a secret and is not shown; it needs a credential: store it with PUT /credentials/{name} and name that in the spec';

/** True for the name of a variable that mostly holds a secret, or the name of a part of such a one. */
export const isSecretName = (name: string): boolean => SECRET_NAME.test(name) && !PLACE_NAME.test(name);

/** True for a text that looks like a secret, or has one in it. */
export const isSecretText = (text: string): boolean => SECRET_VALUE.some((pattern) => pattern.test(text));
