/** A command for people to copy into a shell: each word that a POSIX shell would change is quoted. */
export function shellCommand(words: readonly string[]): string {
  return words.map(quote).join(" ");
}

/** Signs that mean nothing to a shell wherever they stand in a word. */
const PLAIN = /^[A-Za-z0-9_@%+=:,./-]+$/;

function quote(word: string): string {
  return PLAIN.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
