/**
 * Splits spiffe-helper's `cmd_args`: one line of CSV with spaces for commas. An argument in double quotes may hold spaces, and a
 * double quote doubled. Several spaces in a row make empty arguments, as they do there.
 *
 * @throws {Error} for a quote that does not end, or one in the middle of an argument
 */
export function splitArguments(text: string): readonly string[] {
  if (text === "") return [];
  const fields: string[] = [];
  const field = /(?:"((?:[^"]|"")*)"|([^ "]*))( |$)/y;
  let isOver = false;
  while (!isOver) {
    const at = field.lastIndex;
    const match = field.exec(text);
    if (match === null) {
      throw new Error(`cmd_args: a double quote at character ${at + 1} is not where it may be`);
    }
    const [, quoted, plain = "", separator] = match;
    fields.push(quoted === undefined ? plain : quoted.replaceAll('""', '"'));
    isOver = separator === "";
  }
  return fields;
}
