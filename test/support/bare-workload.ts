import { SpiffeWorkloadAPI } from "../../proto/gen/spiffe/workload/workload_pb.ts";
import { openChannel } from "../../runtime/rpc/channel.ts";
import { type Client, createClient } from "../../runtime/rpc/client.ts";

/** Without it the Workload API answers nobody (SPIFFE Workload Endpoint 6.1). */
const metadata = { "workload.spiffe.io": "true" };

/** A workload that speaks the Workload API message by message, without the client library's patience. */
export class BareWorkload implements Disposable {
  readonly api: Client<typeof SpiffeWorkloadAPI>;
  readonly #channel: ReturnType<typeof openChannel>;

  constructor(socketPath: string) {
    this.#channel = openChannel({ target: `unix:${socketPath}` });
    this.api = createClient(SpiffeWorkloadAPI, this.#channel);
  }

  /** The SPIFFE IDs of each X509-SVID answer, until the stream ends. @throws {StatusError} what it ends with */
  async *watchIds(signal: AbortSignal): AsyncGenerator<ReadonlySet<string>> {
    for await (const { svids } of this.api.fetchX509SVID({}, { signal, metadata })) {
      yield new Set(svids.map(({ spiffeId }) => spiffeId));
    }
  }

  /** The SPIFFE IDs of the first answer. @throws {StatusError} the refusal */
  async fetchIds(signal: AbortSignal, timeoutMs = 10_000): Promise<ReadonlySet<string>> {
    const call = this.api.fetchX509SVID({}, { signal, timeoutMs, metadata });
    for await (const { svids } of call) return new Set(svids.map(({ spiffeId }) => spiffeId));
    throw new Error("the stream ended without an answer");
  }

  [Symbol.dispose](): void {
    this.#channel.close();
  }
}
