#!/usr/bin/env node
// The command `assay` of a checkout: the sources under the pinned Node. A release has a launcher of its own (deploy/release/launchers.ts).

import { join } from "node:path";
import process from "node:process";
import { handOver, root } from "./pinned-node.mjs";

await handOver(join(root, "assay.ts"), process.argv.slice(2));
