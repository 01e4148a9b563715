// The product on a Kubernetes cluster: one cluster with the chart on it for all stories, in an order in which each finds what it
// needs. With ASSAY_TEST_KUBECONFIG it is somebody else's, and the stories that touch its machines are left out.

import { after, before, suite } from "node:test";
import { requires } from "../support/requires.ts";
import { GivenCluster } from "./cluster/given-cluster.ts";
import { clusterNeeds, givenKubeconfig } from "./cluster/needs.ts";
import { chartStories } from "./stories/chart.ts";
import { chartOptionStories } from "./stories/chart-options.ts";
import { crowdStories } from "./stories/crowd.ts";
import { csiStories } from "./stories/csi.ts";
import { filesStories } from "./stories/files.ts";
import { identityStories } from "./stories/identities.ts";
import { isolationStories } from "./stories/isolation.ts";
import { languageStories } from "./stories/languages.ts";
import { outageStories } from "./stories/outages.ts";
import { secondClusterStories } from "./stories/second-cluster.ts";
import { serverOfEdge } from "./world/edge.ts";
import { explainFirstFailure } from "./world/explain.ts";
import { Stage } from "./world/stage.ts";
import { startWithImages } from "./world/world.ts";

if (givenKubeconfig !== undefined) {
  const kubeconfig = givenKubeconfig;
  suite("assay on a given Kubernetes", () => {
    const story = new Stage(() => GivenCluster.open(kubeconfig));
    before(() => story.open());
    after(() => story[Symbol.asyncDispose]());
    explainFirstFailure(story);

    identityStories(story);
    crowdStories(story);
    chartStories(story);
  });
} else if (requires(...clusterNeeds, "python")) {
  suite("assay on Kubernetes", () => {
    const story = new Stage(() => startWithImages());
    before(() => story.open(serverOfEdge));
    after(() => story[Symbol.asyncDispose]());
    explainFirstFailure(story);

    // These wait a lot and are in nobody's way.
    suite("at the same time", { concurrency: true }, () => {
      secondClusterStories(story);
      identityStories(story);
      languageStories(story);
      filesStories(story);
      chartOptionStories(story);
    });
    crowdStories(story);
    isolationStories(story);
    csiStories(story);
    outageStories(story);
    chartStories(story);
  });
}
