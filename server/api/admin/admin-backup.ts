/** A consistent copy of the store while the server runs: one call of assay.admin.v1. */
import { isAbsolute } from "node:path";
import type { Admin } from "../../../proto/gen/assay/admin/v1/admin_pb.ts";
import { invalidArgument } from "../../../runtime/errors/status-error.ts";
import type { Handlers } from "../../../runtime/rpc/service.ts";
import type { Store } from "../../store/store.ts";
import type { Caller } from "../caller.ts";

export function adminBackup(
  store: Pick<Store, "backup">,
): Pick<Handlers<typeof Admin, Caller>, "backup"> {
  return {
    backup: async ({ path }) => {
      if (!isAbsolute(path)) {
        throw invalidArgument("path: must be an absolute path on the server's machine", {
          reason: "path_not_absolute",
        });
      }
      const { bytes, revision, incarnation } = await store.backup(path);
      return { bytes: BigInt(bytes), revision, incarnation };
    },
  };
}
