/**
 * Characters that act on what shows them instead of being shown: terminal control (C0, DEL, C1), line separators that
 * only some readers know, and marks that turn the direction of writing. Line feed and tab are not among them.
 */
const ACTING =
  // oxlint-disable-next-line no-control-regex -- these are what is looked for
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb]/g;

/**
 * Text that came from a host, fit to be shown anywhere: acting characters become escapes that can be read (`\u{1b}`),
 * broken surrogates the replacement character. Says nothing about HTML, quoting or spreadsheets.
 */
export function printable(text: string): string {
  const escaped = text.replace(ACTING, (character) => `\\u{${character.charCodeAt(0).toString(16)}}`);
  return escaped.toWellFormed();
}

/** The same on one line: for names, messages, and whatever ends up as one line of a log. */
export function printableLine(text: string): string {
  return printable(text.replaceAll('\n', ' ').replaceAll('\t', ' '));
}

/** JSON text with acting characters as escapes of JSON: the same value, fit to be shown anywhere. */
export function printableJson(json: string): string {
  return json.replace(ACTING, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
