// The product on a Kubernetes cluster: one cluster with the chart on it for all stories, in an order in which each finds what it
// needs. Workloads are go-spiffe with its own back-off.

import { after, before, suite } from "node:test";
import { requires } from "../support/requires.ts";
import type { Cluster } from "./cluster/cluster.ts";
import { clusterNeeds } from "./cluster/needs.ts";
import { chartStories } from "./stories/chart.ts";
import { crowdStories } from "./stories/crowd.ts";
import { identityStories } from "./stories/identities.ts";
import { isolationStories } from "./stories/isolation.ts";
import { outageStories } from "./stories/outages.ts";
import { secondClusterStories } from "./stories/second-cluster.ts";
import { listEverything } from "./world/everything.ts";
import { installChart, startWithImages } from "./world/world.ts";

if (requires(...clusterNeeds)) {
  suite("assay on Kubernetes", () => {
    let running: Cluster | undefined;
    let present: ReadonlySet<string> = new Set();
    const story = {
      get present(): ReadonlySet<string> {
        return present;
      },
      get cluster(): Cluster {
        if (running === undefined) throw new Error("the cluster did not start");
        return running;
      },
    };

    before(async () => {
      running = await startWithImages();
      present = await listEverything(running);
      await installChart(running);
    });
    after(async () => {
      await running?.[Symbol.asyncDispose]();
    });

    identityStories(story);
    isolationStories(story);
    secondClusterStories(story);
    crowdStories(story);
    outageStories(story);
    chartStories(story);
  });
}
