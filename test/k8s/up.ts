// A cluster to try things on by hand: starts one with the images of this checkout, says how to reach it, and ends it with Ctrl-C.
//
//   node test/k8s/up.ts [--no-images] [--image ARCHIVE]...

import { once } from "node:events";
import { resolve } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { Cluster } from "./cluster/cluster.ts";
import { ApiRelay } from "./support/api-relay.ts";
import { buildImages } from "./world/images.ts";

const { values } = parseArgs({
  options: {
    "no-images": { type: "boolean", default: false },
    image: { type: "string", multiple: true, default: [] },
  },
});

await using cluster = await Cluster.start({
  images: values.image.map((path) => resolve(path)),
  ...(values["no-images"] ? {} : { makeImages: buildImages }),
});
await using relay = await ApiRelay.open(cluster.folder.join("api.sock"));
const path = await cluster.folder.write(
  "outside.kubeconfig",
  await relay.adminKubeconfig(cluster.plane),
);
process.stdout.write(`export KUBECONFIG=${path} PATH=${cluster.toolFolders.join(":")}:$PATH\n`);
await Promise.race([once(process, "SIGINT"), once(process, "SIGTERM")]);
