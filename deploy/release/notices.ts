import type { ContainedPackage } from "./packages.ts";

/** The text that names what a release contains of others, and gives their licences. */
export function formatNotices(packages: readonly ContainedPackage[]): string {
  const parts = packages.map(({ name, version, license, texts }) =>
    [`${name} ${version} (${license})`, ...texts].join("\n\n"),
  );
  const intro =
    "This release contains all or part of the following, under the licences given with each.";
  return `${[intro, ...parts].join(`\n\n${"-".repeat(80)}\n\n`)}\n`;
}
