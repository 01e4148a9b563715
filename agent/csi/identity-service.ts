import type { Identity } from "../../proto/gen/csi/v1/csi_pb.ts";
import type { ReadFeed } from "../../runtime/feed.ts";
import type { Handlers } from "../../runtime/rpc/service.ts";
import type { HolderStatus } from "../holder/holder.ts";

/** Says which driver this is, and whether there is a socket to mount. */
export function identityService(deps: {
  readonly name: string;
  readonly version: string;
  readonly status: ReadFeed<HolderStatus>;
}): Handlers<typeof Identity> {
  const { name, version, status } = deps;
  return {
    getPluginInfo: async () => ({ name, vendorVersion: version }),
    getPluginCapabilities: async () => ({}),
    probe: async () => ({ ready: status.value.bound }),
  };
}
