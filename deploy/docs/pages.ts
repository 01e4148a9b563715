import { wholeProgram } from "../../assay.ts";
import type { CliIo } from "../../runtime/cli/cli-io.ts";
import { chartValuesPage } from "./chart-values-page.ts";
import { commandsPage } from "./commands-page.ts";
import { configurationPage } from "./configuration-page.ts";

/** Commands are described here, not run. */
const NO_IO: CliIo = {
  write: () => {},
  writeError: () => {},
  readInput: async () => "",
  env: {},
  signal: new AbortController().signal,
};

/** The text of every page that is made from the code, by its path from the root. */
export async function generatedPages(): Promise<ReadonlyMap<string, string>> {
  return new Map([
    ["docs/chart-values.md", await chartValuesPage()],
    ["docs/cli.md", commandsPage(await wholeProgram(NO_IO))],
    ["docs/configuration.md", await configurationPage()],
  ]);
}
