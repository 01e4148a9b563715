import { eventually } from "../../support/eventually.ts";
import type { KubeClient, KubeObject } from "./kube-client.ts";

/** The part of a Pod that tests read. */
export interface Pod extends KubeObject {
  readonly spec?: { readonly nodeName?: string; readonly serviceAccountName?: string };
  readonly status?: {
    readonly phase?: string;
    readonly podIP?: string;
    readonly startTime?: string;
    readonly containerStatuses?: readonly {
      readonly name: string;
      readonly ready: boolean;
      readonly restartCount: number;
      readonly containerID?: string;
      readonly state?: {
        readonly waiting?: { readonly reason?: string; readonly message?: string };
      };
    }[];
  };
}

/** Waits until a pod runs, and returns it. @throws {Error} that says where it got stuck */
export async function untilRunning(
  client: KubeClient,
  name: string,
  { namespace = "default", timeoutMs = 90_000 }: { namespace?: string; timeoutMs?: number } = {},
): Promise<Pod> {
  let seen: Pod | undefined;
  return eventually(
    `the pod ${name}`,
    async () => {
      seen = await client.get<Pod>(`/api/v1/namespaces/${namespace}/pods/${name}`);
      if (seen.status?.phase === "Running") return seen;
      throw new Error(describe(seen));
    },
    { timeoutMs, intervalMs: 50 },
  );
}

function describe({ status }: Pod): string {
  const waiting = (status?.containerStatuses ?? []).map(({ name, state }) => {
    const { reason = "starting", message = "" } = state?.waiting ?? {};
    return `${name}: ${reason} ${message}`;
  });
  return [status?.phase ?? "no phase", ...waiting].join("; ");
}
