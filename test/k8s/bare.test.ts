// A cluster without the chart: what the cluster itself can do, and how an agent that runs on a node tells its pods apart.

import { after, before, suite, test } from "node:test";
import { requires } from "../support/requires.ts";
import { assertGone, clusterStories } from "./bare/cluster.ts";
import { podAttestationStories } from "./bare/pod-attestation.ts";
import { Cluster } from "./cluster/cluster.ts";
import { clusterNeeds, givenKubeconfig } from "./cluster/needs.ts";

if (givenKubeconfig === undefined && requires(...clusterNeeds)) {
  suite("without the chart", () => {
    let running: Cluster | undefined;
    const story = {
      get cluster(): Cluster {
        if (running === undefined) throw new Error("the cluster did not start");
        return running;
      },
    };

    before(async () => {
      running = await Cluster.start();
    });
    after(async () => {
      await running?.[Symbol.asyncDispose]();
    });

    clusterStories(story);
    podAttestationStories(story);

    test("nothing of a cluster stays when it has ended", async () => {
      const { cluster } = story;
      await cluster[Symbol.asyncDispose]();
      await assertGone(cluster);
    });
  });
}
