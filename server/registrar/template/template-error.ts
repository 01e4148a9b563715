/** A template that cannot be read, or that gives nothing usable for a pod. */
export class TemplateError extends Error {
  override readonly name = "TemplateError";

  /**
   * @param source the template
   * @param offset where in it, in UTF-16 units
   */
  constructor(message: string, source: string, offset: number) {
    super(`${positionOf(source, offset)}: ${message}`);
  }
}

function positionOf(source: string, offset: number): string {
  const before = source.slice(0, offset);
  const lines = before.split("\n");
  const column = (lines.at(-1) ?? "").length + 1;
  return lines.length === 1 ? `column ${column}` : `line ${lines.length}, column ${column}`;
}

/** Hostile text, quoted and cut for a message. */
export function quoteShort(text: string): string {
  return JSON.stringify(text.length > 60 ? `${text.slice(0, 60)}...` : text);
}
