import { homedir } from "node:os";
import { join } from "node:path";

/**
 * Where builds of other people's software that tests need are kept: outside of the checkout, so that they serve every checkout and
 * outlive this one. `ASSAY_TEST_CACHE` puts it elsewhere.
 */
export function cacheFolder(name: string): string {
  const { ASSAY_TEST_CACHE: own, XDG_CACHE_HOME: base } = process.env;
  if (own !== undefined && own !== "") return join(own, name);
  const caches = base === undefined || base === "" ? join(homedir(), ".cache") : base;
  return join(caches, "assay", name);
}
