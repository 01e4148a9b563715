#!/usr/bin/env node
// The command `assay`: a release's bundle if there is one beside it, else the sources under the pinned Node.

import { existsSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { handOver, root } from "./pinned-node.mjs";

const bundle = join(root, "dist", "assay.mjs");
await handOver(existsSync(bundle) ? bundle : join(root, "assay.ts"), process.argv.slice(2));
