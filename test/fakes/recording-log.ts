import { createLogger, type Logger } from "../../runtime/log.ts";

/** A logger that prints nothing and keeps what was logged, as the objects that the lines would be. */
export class RecordingLog {
  readonly lines: Readonly<Record<string, unknown>>[] = [];
  readonly log: Logger = createLogger({
    level: "debug",
    format: "json",
    destination: { write: (line) => this.#take(line) },
  });

  /** The messages of a level and above, in order. */
  messages(level: "info" | "warn" | "error" = "info"): readonly unknown[] {
    const levels = ["info", "warn", "error"].slice(["info", "warn", "error"].indexOf(level));
    return this.lines
      .filter((line) => levels.includes(String(line["level"])))
      .map(({ msg }) => msg);
  }

  #take(line: string): void {
    const value: unknown = JSON.parse(line);
    if (typeof value === "object" && value !== null) this.lines.push({ ...value });
  }
}
