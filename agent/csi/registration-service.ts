import type { MessageInitShape } from "@bufbuild/protobuf";
import type {
  PluginInfoSchema,
  Registration,
  RegistrationStatus,
} from "../../proto/gen/pluginregistration/registration_pb.ts";
import type { CheckResult } from "../../runtime/health.ts";
import type { CallContext } from "../../runtime/rpc/call-context.ts";
import type { Handlers } from "../../runtime/rpc/service.ts";

/** Versions of CSI that the kubelet may speak with us. */
const CSI_VERSIONS = ["1.0.0"];

const MAX_ERROR_LENGTH = 500;

/** Registers the driver with the kubelet, which finds our socket in its plugins_registry folder and asks. */
export class RegistrationService implements Handlers<typeof Registration> {
  readonly #name: string;
  readonly #endpoint: string;
  #health: CheckResult = {
    state: "degraded",
    detail: "the kubelet has not registered the driver yet",
  };

  /** @param o.endpoint path of the driver's socket, as the kubelet sees it */
  constructor(o: { readonly name: string; readonly endpoint: string }) {
    this.#name = o.name;
    this.#endpoint = o.endpoint;
  }

  /** How the last registration went. */
  get health(): CheckResult {
    return this.#health;
  }

  async getInfo(): Promise<MessageInitShape<typeof PluginInfoSchema>> {
    return {
      type: "CSIPlugin",
      name: this.#name,
      endpoint: this.#endpoint,
      supportedVersions: [...CSI_VERSIONS],
    };
  }

  async notifyRegistrationStatus(
    status: RegistrationStatus,
    { log }: CallContext,
  ): Promise<Readonly<Record<string, never>>> {
    if (status.pluginRegistered) {
      this.#health = { state: "ok" };
      log.info("Kubelet has registered the driver");
    } else {
      const detail = status.error.slice(0, MAX_ERROR_LENGTH);
      this.#health = { state: "failed", detail: "the kubelet refused the driver" };
      log.error({ detail }, "Kubelet did not register the driver");
    }
    return {};
  }
}
