/**
 * The script in a command line of ours: what the host's sh reads after `printf %b` has decoded the words. Throws for a
 * line of another form, which a login shell other than sh might read differently.
 */
export function remoteScript(line: string): string {
  const form = /^exec \/bin\/sh -c 'LC_ALL=C;export LC_ALL;eval "\$\(printf %b "\$@"\)"' sh((?: '[^'!\n]*')+)$/;
  const words = form.exec(line)?.[1];
  if (words === undefined) throw new Error(`not one of our lines: ${line.slice(0, 200)}`);
  const bytes = [...words.matchAll(/'([^']*)'/g)].map(([, word = '']) =>
    Buffer.from(
      word.replace(/\\0([0-7]{3})/g, (_all, octal: string) => String.fromCharCode(Number.parseInt(octal, 8))),
      'latin1',
    ),
  );
  return Buffer.concat(bytes).toString('utf8');
}
