// A workload on its own: prints the SPIFFE IDs of each answer on a line and holds the stream until it is killed.

import { BareWorkload } from "./bare-workload.ts";

using workload = new BareWorkload(process.argv[2] ?? "");
for await (const ids of workload.watchIds(new AbortController().signal)) {
  process.stdout.write(`${[...ids].join(" ")}\n`);
}
