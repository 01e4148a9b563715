/** Settings that may change while the server runs: one call of assay.admin.v1. */
import type { Admin } from "../../../proto/gen/assay/admin/v1/admin_pb.ts";
import { ConfigError } from "../../../runtime/config/load.ts";
import { failedPrecondition } from "../../../runtime/errors/status-error.ts";
import type { Handlers } from "../../../runtime/rpc/service.ts";
import type { ConfigDifference } from "../../config/reload.ts";
import type { Caller } from "../caller.ts";

/** Reads the configuration again and applies of it what can be; with `dryRun` it only compares. */
export type Reload = (options: { readonly dryRun: boolean }) => Promise<ConfigDifference>;

export function adminReload(reload: Reload): Pick<Handlers<typeof Admin, Caller>, "reload"> {
  return {
    reload: async ({ dryRun }) => {
      try {
        const { applicable, needsRestart } = await reload({ dryRun });
        return { applied: [...applicable], needsRestart: [...needsRestart] };
      } catch (err) {
        if (!(err instanceof ConfigError)) throw err;
        throw failedPrecondition(err.message, { reason: "config_invalid", cause: err });
      }
    },
  };
}
