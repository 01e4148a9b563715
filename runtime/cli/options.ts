import { Option } from "commander";
import { OUTPUT_FORMATS } from "./output.ts";

/** The option that every command with a result has. */
export function outputOption(): Option {
  return new Option("-o, --output <format>", "how to print")
    .choices(OUTPUT_FORMATS)
    .default("table");
}

/** Collects an option that may be given several times. */
export function collect(value: string, before: readonly string[] = []): string[] {
  return [...before, value];
}
