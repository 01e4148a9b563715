import { configurationPage } from "./configuration-page.ts";

/** The text of every page that is made from the code, by its path from the root. */
export async function generatedPages(): Promise<ReadonlyMap<string, string>> {
  return new Map([["docs/configuration.md", await configurationPage()]]);
}
