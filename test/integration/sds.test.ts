// Envoy's secret discovery over the workload socket, as a proxy speaks it, and as nobody should.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { create, fromBinary, type JsonObject, type MessageInitShape } from "@bufbuild/protobuf";
import { CachedBundle } from "../../agent/cache/bundle-cache.ts";
import { AgentAdmin } from "../../proto/gen/assay/agent/v1/agent_pb.ts";
import { SecretSchema } from "../../proto/gen/envoy/extensions/transport_sockets/tls/v3/secret_pb.ts";
import type {
  DiscoveryRequestSchema,
  DiscoveryResponse,
} from "../../proto/gen/envoy/service/discovery/v3/discovery_pb.ts";
import { SecretDiscoveryService } from "../../proto/gen/envoy/service/secret/v3/sds_pb.ts";
import { BundleSchema } from "../../proto/gen/spire/api/types/bundle_pb.ts";
import { Status } from "../../runtime/errors/status-error.ts";
import { openChannel } from "../../runtime/rpc/channel.ts";
import { createClient } from "../../runtime/rpc/client.ts";
import { eventually } from "../support/eventually.ts";
import { TestAuthority } from "../support/test-ca.ts";
import { WorkloadMachine } from "../support/workload-machine.ts";

type Request = Extract<MessageInitShape<typeof DiscoveryRequestSchema>, { $typeName?: never }>;

const version = { majorNumber: 1, minorNumber: 40, patch: 0 };
const node = {
  id: "edge-1",
  userAgentVersionType: { case: "userAgentBuildVersion" as const, value: { version } },
};

/** The requests of one stream, sent when the test says so. */
class TestProxy {
  readonly #queue: Request[] = [];
  #wake: () => void = () => {};
  readonly answers: AsyncIterator<DiscoveryResponse>;
  readonly #stop = new AbortController();

  constructor(channel: ReturnType<typeof openChannel>, first: Request) {
    this.send({ node, ...first });
    const { signal } = this.#stop;
    const api = createClient(SecretDiscoveryService, channel);
    const answers = api.streamSecrets(this.#requests(), { signal });
    this.answers = answers[Symbol.asyncIterator]();
  }

  send(request: Request): void {
    this.#queue.push(request);
    this.#wake();
  }

  /** Names in the next answer. */
  async next(): Promise<{ names: string[]; nonce: string }> {
    const { value, done } = await this.answers.next();
    assert.ok(done !== true, "the stream has ended");
    const { resources, nonce }: DiscoveryResponse = value;
    return { names: resources.map((any) => fromBinary(SecretSchema, any.value).name), nonce };
  }

  [Symbol.dispose](): void {
    this.#stop.abort();
  }

  async *#requests(): AsyncGenerator<Request> {
    for (;;) {
      const request = this.#queue.shift();
      if (request !== undefined) yield request;
      else await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }
}

function deep(levels: number): JsonObject {
  let object: JsonObject = {};
  for (let i = 0; i < levels; i++) object = { a: object };
  return object;
}

describe("secret discovery", () => {
  let machine: WorkloadMachine;
  let channel: ReturnType<typeof openChannel>;
  const call = { signal: new AbortController().signal, timeoutMs: 60_000 };
  const api = () => createClient(SecretDiscoveryService, channel);

  /** Waits until the agent lists a refusal for this reason. */
  const refused = (reason: string) =>
    eventually("a refusal", async () => {
      const admin = openChannel({ target: `unix:${machine.adminSocket}` });
      try {
        const { refusals } = await createClient(AgentAdmin, admin).listRefusals({}, call);
        return refusals.some(({ reasonCode }) => reasonCode === reason) || undefined;
      } finally {
        admin.close();
      }
    });

  before(async () => {
    machine = await WorkloadMachine.open();
    channel = openChannel({ target: machine.address.replace("unix://", "unix:") });
  });
  after(async () => {
    channel.close();
    await machine[Symbol.asyncDispose]();
  });

  it("needs no security header, which Envoy does not send", async () => {
    machine.views.grant("/web");
    const { resources } = await api().fetchSecrets({ node, resourceNames: ["default"] }, call);
    assert.equal(resources.length, 1);
  });

  it("refuses a fetch of what is not granted", async () => {
    machine.views.grant("/web");
    await assert.rejects(
      api().fetchSecrets({ node, resourceNames: ["spiffe://td.test/db"] }, call),
      {
        code: Status.INVALID_ARGUMENT,
        reason: "secret_not_granted",
      },
    );
    machine.views.grant();
    await assert.rejects(api().fetchSecrets({ node, resourceNames: ["default"] }, call), {
      code: Status.PERMISSION_DENIED,
      reason: "no_identity",
    });
  });

  it("says how to do without differences", async () => {
    const nothing = (async function* () {})();
    const asked = api().deltaSecrets(nothing, call)[Symbol.asyncIterator]().next();
    await assert.rejects(asked, { code: Status.UNIMPLEMENTED, message: /api_type to GRPC/ });
  });

  it("holds a proxy without identity, and sends the moment there is one", async () => {
    machine.views.grant();
    using proxy = new TestProxy(channel, { resourceNames: ["default"] });
    const next = proxy.next();
    await refused("no_entry");
    machine.views.grant("/web");
    assert.deepEqual((await next).names, ["default"]);
  });

  it("says of a name that is not granted that it is not, whatever other streams have", async () => {
    machine.views.grant("/web");
    using proxy = new TestProxy(channel, { resourceNames: ["spiffe://td.test/db"] });
    const next = proxy.next();
    await refused("secret_not_granted");
    machine.views.grant("/web", "/db");
    assert.deepEqual((await next).names, ["spiffe://td.test/db"]);
  });

  it("sends only what has changed, to a proxy that never acknowledges too", async () => {
    machine.views.grant("/web");
    using proxy = new TestProxy(channel, { resourceNames: ["default", "ROOTCA"] });
    assert.deepEqual((await proxy.next()).names, ["default", "ROOTCA"]);
    const x509Authorities = [{ asn1: TestAuthority.root().der }];
    const wire = create(BundleSchema, { trustDomain: "td.test", x509Authorities });
    machine.views.set({ bundle: new CachedBundle(wire) });
    assert.deepEqual((await proxy.next()).names, ["ROOTCA"]);
    machine.views.grant();
    assert.deepEqual((await proxy.next()).names, ["default", "ROOTCA"]);
  });

  it("says delivered of what was asked for only", async () => {
    machine.views.grant("/web");
    using proxy = new TestProxy(channel, { resourceNames: ["ROOTCA"] });
    const before = machine.views.delivered.length;
    await proxy.next();
    await eventually("delivery", () => machine.views.delivered.length > before || undefined);
    assert.deepEqual(machine.views.deliveredIds.at(-1), []);
  });

  it("takes nothing away while the agent is without a server for too long", async () => {
    machine.views.grant("/web");
    using proxy = new TestProxy(channel, { resourceNames: ["default"] });
    await proxy.next();
    machine.views.set({ serving: "offline_too_long", identities: [], entries: [] });
    await assert.rejects(proxy.next(), { code: Status.UNAVAILABLE, reason: "offline" });
    machine.views.set({ serving: "ready" });
  });

  it("ends a stream that changes its type, and no other", async () => {
    machine.views.grant("/web");
    using good = new TestProxy(channel, { resourceNames: ["default"] });
    await good.next();
    using bad = new TestProxy(channel, { resourceNames: ["default"] });
    const { nonce } = await bad.next();
    const typeUrl = "type.googleapis.com/envoy.config.listener.v3.Listener";
    bad.send({ resourceNames: ["default"], responseNonce: nonce, typeUrl });
    await assert.rejects(bad.next(), { code: Status.INVALID_ARGUMENT });
    machine.views.grant("/web");
    await good.next();
  });

  const hostile: readonly (readonly [string, Request, number])[] = [
    [
      "thousands of names",
      { resourceNames: Array.from({ length: 5_000 }, (_, i) => `name-${i}`) },
      Status.INVALID_ARGUMENT,
    ],
    [
      "a node that is too large",
      { node: { ...node, metadata: { filler: "x".repeat(300_000) } } },
      Status.RESOURCE_EXHAUSTED,
    ],
    ["a node that is deep", { node: { ...node, metadata: deep(200) } }, Status.INVALID_ARGUMENT],
  ];
  for (const [name, request, code] of hostile) {
    it(`refuses ${name}`, async () => {
      machine.views.grant("/web");
      using proxy = new TestProxy(channel, request);
      await assert.rejects(proxy.next(), { code });
      using next = new TestProxy(channel, { resourceNames: ["default"] });
      await next.next();
    });
  }
});
