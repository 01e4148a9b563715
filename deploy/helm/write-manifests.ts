// `npm run manifests`: writes deploy/kubernetes from the chart. Needs helm in PATH.

import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { plainManifests } from "./manifests.ts";

const folder = join(import.meta.dirname, "..", "kubernetes");
const manifests = await plainManifests("helm");

await rm(folder, { recursive: true, force: true });
await mkdir(folder);
for (const [name, text] of manifests) await writeFile(join(folder, name), text);
