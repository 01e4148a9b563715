import { decodeFederationLimits } from "../../proto/convert/federation-limits.ts";
import type { FederationLimits as WireLimits } from "../../proto/gen/assay/federation/v1/limits_pb.ts";
import type { Logger } from "../../runtime/log.ts";
import { FederationLimits } from "../../spiffe/bundle/federation-limits.ts";

/**
 * Reads the limits that came beside bundles, by trust domain. Those that make no sense admit nothing: what somebody has limited
 * must not become unlimited since this version cannot read how.
 */
export function readLimits(
  messages: readonly WireLimits[],
  log: Logger,
): ReadonlyMap<string, FederationLimits> {
  return new Map(
    messages.map((message) => {
      const { trustDomain } = message;
      try {
        return [trustDomain, decodeFederationLimits("federation_limits", message)];
      } catch (err) {
        log.error({ err, trust_domain: trustDomain }, "Limits of a federation are not usable");
        return [trustDomain, FederationLimits.NONE];
      }
    }),
  );
}
