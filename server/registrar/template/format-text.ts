import { kindOf, type TemplateValue } from "./template-value.ts";

const VERB = /%(-?)(0?)(\d{0,3})([a-zA-Z%]?)/g;

/**
 * Go's Sprintf for texts, numbers and truth values: %s, %v, %q, %d, %t, %x and %%, with a width.
 *
 * @throws {Error} for another verb, or when values and verbs do not go together
 */
export function formatText(format: string, values: readonly TemplateValue[]): string {
  let used = 0;
  const text = format.replace(
    VERB,
    (_, dash: string, zero: string, width: string, verb: string) => {
      if (verb === "%") return "%";
      const value = values[used];
      used += 1;
      if (value === undefined) throw new Error("printf has more verbs than values");
      const formatted = formatOne(verb, value);
      const size = Number(width);
      if (dash !== "") return formatted.padEnd(size);
      return formatted.padStart(size, zero === "" || verb !== "d" ? " " : "0");
    },
  );
  if (used < values.length) throw new Error("printf has more values than verbs");
  return text;
}

function formatOne(verb: string, value: TemplateValue): string {
  switch (verb) {
    case "s":
      if (typeof value === "string") return value;
      break;
    case "q":
      if (typeof value === "string") return JSON.stringify(value);
      break;
    case "d":
      if (typeof value === "number") return String(value);
      break;
    case "t":
      if (typeof value === "boolean") return String(value);
      break;
    case "x":
      if (typeof value === "number") return value.toString(16);
      if (typeof value === "string") return Buffer.from(value).toString("hex");
      break;
    case "v":
      if (typeof value !== "object") return String(value);
      break;
    default:
      throw new Error(`printf has no verb %${verb}`);
  }
  throw new Error(`printf cannot write ${kindOf(value)} as %${verb}`);
}
