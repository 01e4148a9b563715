/**
 * A JSON log line as text for people: time, level, message, then `key=value` for the other fields. What cannot be read as
 * JSON passes unchanged.
 *
 * @param line one line with its line feed
 */
export function formatLogLine(line: string): string {
  const record = parseRecord(line);
  if (record === undefined) return line;
  const { time, level, msg, ...fields } = record;
  const head = [
    time,
    String(level ?? "")
      .toUpperCase()
      .padEnd(5),
    msg,
  ];
  const tail = Object.entries(fields).map(([key, value]) => `${key}=${formatValue(value)}`);
  return `${[...head, ...tail].filter((part) => part !== undefined).join(" ")}\n`;
}

function parseRecord(line: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === "object" && value !== null ? { ...value } : undefined;
  } catch {
    return undefined;
  }
}

// Quoted unless plainly one word, so that no value can forge a field or a line.
function formatValue(value: unknown): string {
  if (typeof value === "object" && value !== null && "message" in value)
    return formatValue(value.message);
  if (typeof value === "string" && /^[\w.:/@+-]+$/.test(value)) return value;
  return JSON.stringify(value);
}
