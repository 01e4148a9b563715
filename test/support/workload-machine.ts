import { chmod } from "node:fs/promises";
import { delegationSchema } from "../../agent/config/delegation-settings.ts";
import { sdsSchema } from "../../agent/config/sds-settings.ts";
import type { LimitSettings } from "../../agent/config/serving-settings.ts";
import { Endpoints } from "../../agent/endpoints/endpoints.ts";
import { openAttestors } from "../../agent/workload-attestation/open-attestors.ts";
import { createLogger } from "../../runtime/log.ts";
import { systemRandom } from "../../runtime/random.ts";
import { type Clock, systemClock } from "../../runtime/time/clock.ts";
import { FakeWorkloadViews } from "../fakes/fake-workload-views.ts";
import { TempDir } from "./temp-dir.ts";
import { testNow } from "./test-ca.ts";

const limits: LimitSettings = {
  maxConnections: 512,
  maxConnectionsPerCaller: 256,
  maxStreamsPerCaller: 16,
  maxCallsPerCaller: 16,
  maxMessageBytes: 256 * 1024,
  maxX509Svids: 10,
  maxJwtSvids: 10,
};

/** The machine's clock, with its wall clock at the instant for which test certificates are made. */
export const clockAtTestNow: Clock = { ...systemClock, now: () => testNow };

/** An agent's real sockets over a cache that the test fills. */
export class WorkloadMachine implements AsyncDisposable {
  readonly views: FakeWorkloadViews;
  readonly address: string;
  readonly adminSocket: string;
  readonly #stack: AsyncDisposableStack;

  private constructor(views: FakeWorkloadViews, dir: TempDir, stack: AsyncDisposableStack) {
    this.views = views;
    this.address = `unix://${dir.join("api.sock")}`;
    this.adminSocket = dir.join("admin.sock");
    this.#stack = stack;
  }

  static async open(changes: Partial<LimitSettings> = {}): Promise<WorkloadMachine> {
    const stack = new AsyncDisposableStack();
    const dir = stack.use(await TempDir.open());
    // Workloads of other users have to reach the socket.
    await chmod(dir.path, 0o755);
    const views = new FakeWorkloadViews();
    const log = createLogger({ level: "error", format: "text" });
    const attestors = openAttestors({
      settings: { unix: { hostRoot: "/" } },
      views,
      log,
      clock: clockAtTestNow,
      random: systemRandom,
    });
    const machine = new WorkloadMachine(views, dir, stack);
    stack.use(
      await Endpoints.open({
        workloadSocket: { path: dir.join("api.sock"), mode: 0o777 },
        adminSocket: { path: machine.adminSocket, mode: 0o600 },
        adminUids: new Set([process.getuid?.() ?? 0]),
        limits: { ...limits, ...changes },
        sds: sdsSchema.parse({}),
        delegation: delegationSchema.parse({}),
        waitForIdentityMs: 0,
        views,
        attestation: attestors,
        info: () => ({ agentId: "spiffe://td.test/spire/agent/test/1" }),
        log,
        clock: clockAtTestNow,
        random: systemRandom,
      }),
    );
    return machine;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
  }
}
