import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  FAKE_TRUST_DOMAIN,
  FakeServerApi,
  type FakeServerOptions,
} from "../fakes/fake-server-api.ts";
import { hasPaths, RunningAgent, viewWhere } from "../support/running-agent.ts";
import { TempDir } from "../support/temp-dir.ts";
import { TestAuthority } from "../support/test-ca.ts";

const entry = (id: string, path: string, ...selectors: string[]) => ({
  id,
  spiffeId: { trustDomain: FAKE_TRUST_DOMAIN, path },
  selectors: selectors.map((value) => ({ type: "unix", value })),
});

const shapes: readonly { name: string; options: FakeServerOptions }[] = [
  { name: "SyncAuthorizedEntries, the whole set at once", options: {} },
  { name: "SyncAuthorizedEntries, revisions in pages", options: { pageSize: 2 } },
  { name: "GetAuthorizedEntries", options: { syncEntries: false } },
];

describe("an agent with a server that has only the public API", () => {
  for (const { name, options } of shapes) {
    it(`follows it by ${name}`, async () => {
      await using dir = await TempDir.open();
      await using server = await FakeServerApi.open(options);
      for (const n of [1, 2, 3, 4, 5]) server.put(entry(`e${n}`, `/w${n}`, `uid:${n}`));
      server.putFederatedBundle("partner.test", TestAuthority.root());
      server.put({
        ...entry("e6", "/web", "uid:1000"),
        federatesWith: ["partner.test", "missing.test"],
      });
      await using agent = await RunningAgent.open({
        dir,
        servers: [server.address],
        bundlePem: server.bundlePem,
      });
      using stream = agent.stream("uid:1000");
      const view = await viewWhere(stream, hasPaths("/web"));
      assert.deepEqual([...view.federatedBundles.keys()], ["partner.test"]);
      using other = agent.stream("uid:5");
      await viewWhere(other, hasPaths("/w5"));
      assert.equal(server.calls.postedStatus, 1);

      server.remove("e6");
      server.put(entry("e7", "/new", "uid:1000"));
      await viewWhere(stream, hasPaths("/new"), 15_000);
      assert.ok(server.calls.polled >= 2);
    });
  }
});
