// Two trust domains, each a server and an agent as processes, and a third that one of them trusts.

import assert from "node:assert/strict";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { get } from "node:https";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { after, before, describe, it } from "node:test";
import { ExitCode } from "../../runtime/cli/exit-code.ts";
import {
  createHttpsServer,
  JwtSource,
  matchAny,
  SpiffeHttpsAgent,
  SpiffeId,
  TrustDomain,
  WorkloadBundleSource,
  X509Source,
} from "../../spiffe/client.ts";
import { WorkloadApiClient } from "../../spiffe/workloadapi/client.ts";
import { eventually } from "../support/eventually.ts";
import { GoProgram } from "../support/foreign-builds.ts";
import { testChecks } from "../support/interop.ts";
import { requires } from "../support/requires.ts";
import { spiffeRefused } from "../support/spiffe-refused.ts";
import { TempDir } from "../support/temp-dir.ts";
import { FederatedMachine } from "./federated-machine.ts";
import { PoisonedEndpoint } from "./poisoned-endpoint.ts";
import { beginPoisoned, endPoisoned } from "./poisoned-story.ts";

const partner = TrustDomain.parse("partner.test");
const payments = SpiffeId.parse("spiffe://partner.test/payments/api");
const web = SpiffeId.parse("spiffe://partner.test/web");

if (requires("linux")) {
  describe("two trust domains", () => {
    let ours: FederatedMachine;
    let theirs: FederatedMachine;
    let poisoned: PoisonedEndpoint;
    let dir: TempDir;
    let shop: string;
    before(async () => {
      dir = await TempDir.open();
      poisoned = await PoisonedEndpoint.start();
      const webAuthorities = dir.join("web.pem");
      await writeFile(webAuthorities, poisoned.authority);
      [ours, theirs] = await Promise.all([
        FederatedMachine.start("example.test", { webAuthorities }),
        FederatedMachine.start("partner.test"),
      ]);
      await beginPoisoned(ours, poisoned);
      await theirs.trust(ours, "--any", "--owner", "platform");
      const mutual = ["--federates-with", "example.test"];
      await theirs.register("/payments/api", "--hint", "payments", ...mutual);
      await theirs.register("/web", "--hint", "web", ...mutual);
      const limits = ["--allow-id", "/payments/*", "--allow-audience", "billing"];
      const created = await ours.trust(theirs, ...limits);
      assert.equal(created.trusted_for, "/payments/*, audience billing");
      shop = await ours.register("/shop", "--federates-with", "partner.test");
    });
    after(async () => {
      await ours?.[Symbol.asyncDispose]();
      await theirs?.[Symbol.asyncDispose]();
      await poisoned?.[Symbol.asyncDispose]();
      await dir?.[Symbol.asyncDispose]();
    });

    const openOurs = () => X509Source.open({ address: ours.endpointSocket });
    const openTheirs = (id: SpiffeId) =>
      X509Source.open({
        address: theirs.endpointSocket,
        pick: (svids) => svids.find((svid) => svid.id.equals(id)),
      });

    /** A service of the partner under one of its IDs. */
    async function serving<T>(id: SpiffeId, use: (address: string) => Promise<T>): Promise<T> {
      await using source = await openTheirs(id);
      const tls = { svid: source, bundles: source, authorize: matchAny() };
      const server = createHttpsServer(tls, (_, response) => response.end("hello"));
      await once(server.listen(0, "127.0.0.1"), "listening");
      try {
        return await use(`127.0.0.1:${(server.address() as AddressInfo).port}`);
      } finally {
        server.close();
        server.closeAllConnections();
      }
    }

    async function ask(address: string): Promise<string> {
      await using source = await openOurs();
      const agent = new SpiffeHttpsAgent({ svid: source, bundles: source, authorize: matchAny() });
      const [host, port] = address.split(":");
      const [response] = await once(get({ host, port, path: "/", agent }), "response");
      return text(response);
    }

    it("talk to each other within the limits, and not beyond", async () => {
      assert.equal(await serving(payments, ask), "hello");
      await assert.rejects(serving(web, ask), spiffeRefused("federation_id"));
    });

    it("take each other's tokens within the limits, and not beyond", async () => {
      await using minting = await JwtSource.open({ address: theirs.endpointSocket });
      await using validating = await JwtSource.open({ address: ours.endpointSocket });
      const tokenOf = async (subject: SpiffeId, audience: string): Promise<string> =>
        (await minting.jwtSvid({ subject, audience })).token;
      const good = await tokenOf(payments, "billing");
      assert.equal((await validating.validate(good, "billing")).id.toString(), String(payments));
      await validating.verify(good, ["billing"]);
      for (const [token, audience, code] of [
        [await tokenOf(web, "billing"), "billing", "federation_id"],
        [await tokenOf(payments, "shop"), "shop", "federation_audience"],
      ] as const) {
        await assert.rejects(validating.validate(token, audience), { code: 3, reason: code });
        await assert.rejects(validating.verify(token, [audience]), spiffeRefused(code));
      }
    });

    const rawBundles = async (): Promise<readonly string[]> => {
      using client = new WorkloadApiClient(ours.endpointSocket);
      for await (const { bundles } of client.x509Bundles(ours.machine.signal)) {
        return Object.keys(bundles).sort();
      }
      throw new Error("no bundles");
    };

    /** The trust domains whose WIT authorities a workload gets, and how many. */
    const witAuthorities = async (): Promise<Readonly<Record<string, number>>> => {
      using client = new WorkloadApiClient(ours.endpointSocket);
      for await (const { bundles } of client.witBundles(ours.machine.signal)) {
        const counts = Object.entries(bundles).map(([id, text]) => [
          id,
          JSON.parse(text).keys.length,
        ]);
        return Object.fromEntries(counts);
      }
      throw new Error("no bundles");
    };

    it("give the bundle by itself only where an entry says so", async () => {
      assert.deepEqual(await rawBundles(), ["spiffe://example.test"]);
      const shown = await ours.assay("federation", "show", "partner.test");
      assert.deepEqual(shown.findings, ["no_owner"]);
      const raw = ["Workload API bundles", "Envoy SDS otherwise", "agents of other makes"];
      assert.deepEqual(shown.withheld_from, raw);
      const lift = ["--unrestricted-federation", "partner.test", "--wait"];
      await ours.assay("entry", "update", "--id", shop, ...lift);
      assert.deepEqual(await rawBundles(), ["spiffe://example.test", "spiffe://partner.test"]);
      const lifted = await ours.assay("federation", "show", "partner.test");
      assert.ok(lifted.findings.includes("unrestricted_entries"));
      assert.deepEqual(lifted.not_enforced_by, raw);
      const counts = { "spiffe://example.test": 1, "spiffe://partner.test": 1 };
      assert.deepEqual(await witAuthorities(), counts);
    });

    if (requires("go")) {
      it("go-spiffe talks to the partner only with its whole bundle", async (t) => {
        await using built = await GoProgram.build("federation");
        const dial = (mode: string, peer: SpiffeId, check: string) =>
          serving(peer, (address) => {
            const args = [mode, "-peer", String(peer), "-address", address];
            const env = { SPIFFE_ENDPOINT_SOCKET: ours.endpointSocket };
            return testChecks(t, { file: built.file, args, env }, [check]);
          });
        await dial("dial", payments, "request");
        const restricted = JSON.stringify({ id: shop, unrestricted_federation: [] });
        const updated = await ours.run(["entry", "update", "--file", "-", "--wait"], restricted);
        assert.equal(updated.code, ExitCode.ok, updated.err);
        assert.deepEqual(await rawBundles(), ["spiffe://example.test"]);
        await dial("refused", web, "the peer is refused");
        await dial("refused", payments, "the peer is refused");
      });
    }

    it("push a new authority of the other one to workloads as soon as it is fetched", async (t) => {
      await using bundles = await WorkloadBundleSource.open({ address: ours.endpointSocket });
      const count = (): number => bundles.bundleFor(partner)?.jwtAuthorities.size ?? 0;
      const before = count();
      await theirs.assay("authority", "prepare", "jwt");
      const startedMs = performance.now();
      await ours.assay("federation", "refresh", "partner.test");
      const fetchedMs = performance.now();
      await eventually("the new authority", () => (count() > before ? true : undefined));
      const afterMs = performance.now() - fetchedMs;
      const took = `fetched in ${(fetchedMs - startedMs).toFixed(0)} ms`;
      t.diagnostic(`${took}, with the workload ${afterMs.toFixed(0)} ms after`);
    });

    it("do without each other while one is away", async () => {
      await theirs.machine.local.server[Symbol.asyncDispose]();
      const failed = await ours.run(["federation", "refresh", "partner.test"]);
      assert.equal(failed.code, ExitCode.unavailable, failed.err);
      const shown = await ours.assay("federation", "show", "partner.test");
      assert.equal(shown.failure_code, "endpoint_unreachable");
      assert.ok(shown.findings.includes("fetch_failing"));
      assert.equal(await serving(payments, ask), "hello");
      await theirs.machine.local.startServer();
      const back = await ours.assay("federation", "refresh", "partner.test");
      assert.equal(back.failure_code, "");
    });

    it("are not trusted through one another", async () => {
      await using third = await FederatedMachine.start("third.test", { isServerOnly: true });
      await theirs.trust(third, "--any", "--owner", "platform");
      await ours.assay("federation", "refresh", "partner.test");
      await using source = await openOurs();
      assert.equal(source.bundleFor(TrustDomain.parse("third.test")), undefined);
      const update = ["entry", "update", "--id", shop, "--federates-with", "third.test"];
      const refused = await ours.run(update);
      assert.notEqual(refused.code, ExitCode.ok);
      assert.match(refused.err, /no bundle of "third.test" is known/);
      // Without a bundle to begin with, nobody can be authenticated, and nobody is trusted unseen.
      const unseen = await ours.run([
        ...["federation", "create", "third.test", "--profile", "https_spiffe", "--any"],
        ...["--url", third.bundleUrl, "--endpoint-id", "spiffe://third.test/spire/server"],
      ]);
      assert.equal(unseen.code, ExitCode.ok, unseen.err);
      const shown = await eventually("the failure", async () => {
        const state = await ours.assay("federation", "show", "third.test");
        return state.failure_code === "" ? undefined : state;
      });
      assert.equal(shown.failure_code, "endpoint_bundle_unknown");
      await ours.assay("federation", "delete", "third.test");
    });

    it("stop at the end that was agreed", async () => {
      await using source = await openOurs();
      assert.notEqual(source.bundleFor(partner), undefined);
      const endsAt = new Date(Date.now() + 2_500).toISOString();
      await ours.assay("federation", "update", "partner.test", "--ends-at", endsAt, "--wait");
      await eventually("the end", () =>
        source.bundleFor(partner) === undefined ? true : undefined,
      );
      const shown = await eventually("the record", async () => {
        const state = await ours.assay("federation", "show", "partner.test");
        return state.ended_at ? state : undefined;
      });
      assert.deepEqual(shown.findings, ["ended"]);
      assert.deepEqual(shown.enforced_by, []);
    });

    // Last, because one of them takes its time, and all of the above goes on beside them.
    it("take nothing from endpoints that mean harm, and say so", () => endPoisoned(ours, poisoned));
  });
}
