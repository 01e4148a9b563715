/** The foreign bundles of a workload with the limits that go with them: for callers that keep to those, such as our client library. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import { encodeFederationLimits } from "../../proto/convert/federation-limits.ts";
import type {
  FetchFederatedBundlesResponseSchema,
  WorkloadFederation,
} from "../../proto/gen/assay/workload/v1/federation_pb.ts";
import type { CallContext } from "../../runtime/rpc/call-context.ts";
import type { Handlers } from "../../runtime/rpc/service.ts";
import type { CachedBundle } from "../cache/bundle-cache.ts";
import type { WorkloadView } from "../cache/workload-view.ts";
import { hasBundle, workloadAnswers } from "./workload-answers.ts";
import { jwtKeySet } from "./workload-messages.ts";
import type { WorkloadPeer } from "./workload-peer.ts";
import type { WorkloadSessionDeps } from "./workload-session.ts";

type Response = MessageInitShape<typeof FetchFederatedBundlesResponseSchema>;

/** The handlers of the `WorkloadFederation` service. */
export function workloadFederation(
  deps: WorkloadSessionDeps,
): Handlers<typeof WorkloadFederation, WorkloadPeer> {
  return {
    fetchFederatedBundles: (_request, call: CallContext<WorkloadPeer>) =>
      workloadAnswers(deps, call, {
        open: (caller) => deps.views.openEntries(caller),
        isAnswer: hasBundle,
        messageOf: federatedBundles,
      }),
  };
}

function federatedBundles({ federatedBundles, limitedBundles }: WorkloadView): Response {
  return { bundles: [...federatedBundles.values(), ...limitedBundles.values()].map(encode) };
}

function encode(bundle: CachedBundle) {
  return {
    limits: encodeFederationLimits(bundle.trustDomain, bundle.limits),
    x509Authorities: bundle.x509AuthoritiesDer,
    jwtAuthorities: jwtKeySet(bundle),
  };
}
