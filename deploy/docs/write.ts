// `npm run docs`: writes the references that are made from the code.

import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { generatedPages } from "./pages.ts";

const root = join(import.meta.dirname, "..", "..");

for (const [path, text] of await generatedPages()) await writeFile(join(root, path), text);
