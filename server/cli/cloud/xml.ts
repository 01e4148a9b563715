/** An element of an answer: its children, or its text. */
export interface XmlElement {
  readonly name: string;
  readonly children: readonly XmlElement[];
  /** With entities replaced; empty for an element with children. */
  readonly text: string;
}

const MAX_DEPTH = 16;
const MAX_LENGTH = 256 * 1024;
const NAMED: Readonly<Record<string, string>> = {
  lt: "<",
  gt: ">",
  amp: "&",
  quot: '"',
  apos: "'",
};
const TOKEN =
  /<\?xml[^<>]*\?>|<(\/?)([A-Za-z_][\w.-]*)((?:\s+[A-Za-z_][\w:.-]*="[^"<]*")*)\s*(\/?)>|([^<]+)/gy;

/**
 * Reads the XML of an answer of AWS: elements, text, and attributes that are passed over. No document types, comments, CDATA, nor
 * entities beyond the five and numbers: none of it is in such an answer, and much of it is dangerous.
 *
 * @throws {SyntaxError} for anything else
 */
export function parseXml(source: string): XmlElement {
  if (source.length > MAX_LENGTH) throw new SyntaxError("XML is too long");
  const roots: Open[] = [];
  const open: Open[] = [];
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < source.length) {
    const match = TOKEN.exec(source);
    if (match === null) throw new SyntaxError("XML is malformed");
    const [whole, closing, name, , empty, text] = match;
    const parent = open.at(-1);
    if (text !== undefined) {
      if (parent !== undefined) parent.text += replaceEntities(text);
      else if (text.trim() !== "") throw new SyntaxError("XML has text outside of its element");
    } else if (name === undefined) {
      if (match.index !== 0) throw new SyntaxError(`XML has ${whole.slice(0, 5)} in its middle`);
    } else if (closing === "/") {
      if (open.pop()?.name !== name) throw new SyntaxError("XML elements do not match");
    } else {
      if (open.length >= MAX_DEPTH) throw new SyntaxError("XML is nested too deeply");
      const element: Open = { name, children: [], text: "" };
      (parent?.children ?? roots).push(element);
      if (empty !== "/") open.push(element);
    }
  }
  const [root] = roots;
  if (root === undefined || roots.length > 1 || open.length > 0) {
    throw new SyntaxError("XML must be one element");
  }
  return closed(root);
}

/** The text of the element that a path of names leads to; undefined unless each step is there exactly once. */
export function textAt(root: XmlElement, ...path: readonly string[]): string | undefined {
  let at: XmlElement | undefined = root;
  for (const name of path) {
    const found: readonly XmlElement[] = at?.children.filter((one) => one.name === name) ?? [];
    at = found.length === 1 ? found[0] : undefined;
  }
  return at === undefined || at.children.length > 0 ? undefined : at.text;
}

interface Open {
  readonly name: string;
  readonly children: Open[];
  text: string;
}

function closed({ name, children, text }: Open): XmlElement {
  return { name, children: children.map(closed), text: children.length === 0 ? text : "" };
}

function replaceEntities(text: string): string {
  return text.replace(/&([^;&]{0,12};?)/g, (_, body: string) => {
    const entity = body.endsWith(";") ? body.slice(0, -1) : "";
    const number = /^#(?:(\d{1,7})|x([0-9a-fA-F]{1,6}))$/.exec(entity);
    const named = Object.hasOwn(NAMED, entity) ? NAMED[entity] : undefined;
    if (named !== undefined) return named;
    const code =
      number === null ? -1 : Number.parseInt(number[1] ?? number[2] ?? "", number[1] ? 10 : 16);
    if (code < 9 || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) {
      throw new SyntaxError("XML has an unknown entity");
    }
    return String.fromCodePoint(code);
  });
}
