/** The public debug API: what a running server holds. */
import { Debug } from "../../proto/gen/spire/api/server/debug/v1/debug_pb.ts";
import { type Registration, service } from "../../runtime/rpc/service.ts";
import type { Clock } from "../../runtime/time/clock.ts";
import type { X509SvidSource } from "../../spiffe/svid/x509-svid.ts";
import { encodeIdText } from "../entries/entry-message.ts";
import type { Store } from "../store/store.ts";
import type { Caller } from "./caller.ts";

export interface DebugServiceDeps {
  readonly store: Pick<Store, "read">;
  readonly clock: Clock;
  /** The server's own identity. */
  readonly identity: X509SvidSource;
}

export function debugService({ store, clock, identity }: DebugServiceDeps): Registration<Caller> {
  const startedMs = clock.monotonicMs();
  return service<typeof Debug, Caller>(Debug, {
    getInfo: async () => {
      const [entries, agents, bundles] = await Promise.all([
        store.read("countEntries", { filter: {} }),
        store.read("countNodes", { filter: {} }),
        store.read("countBundles", {}),
      ]);
      const svid = identity.x509Svid();
      return {
        svidChain: svid.certificates.map(({ notAfter, spiffeId }) => ({
          ...(spiffeId && { id: encodeIdText(spiffeId.toString()) }),
          expiresAt: BigInt(Math.floor(notAfter.getTime() / 1000)),
        })),
        uptime: Math.floor((clock.monotonicMs() - startedMs) / 1000),
        agentsCount: agents,
        entriesCount: entries,
        // The own bundle is one of them.
        federatedBundlesCount: Math.max(0, bundles - 1),
      };
    },
  });
}
