/** A set of ASCII characters, indexed by character code. Codes above 127 are never in it. */
export type CharacterSet = Readonly<Uint8Array>;

/** Builds a set from the characters of a text. */
export function characterSet(members: string): CharacterSet {
  const set = new Uint8Array(128);
  for (let i = 0; i < members.length; i++) set[members.charCodeAt(i)] = 1;
  return set;
}

/** True when every UTF-16 code unit of `text` is in the set. */
export function consistsOf(set: CharacterSet, text: string): boolean {
  for (let i = 0; i < text.length; i++) if (set[text.charCodeAt(i)] !== 1) return false;
  return true;
}
