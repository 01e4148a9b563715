// A stock agent and a stock administrator, both through spire-api-sdk, against our server as a process.

import { after, before, describe, it } from "node:test";
import { encodeBundle } from "../../proto/convert/bundle.ts";
import { Admin } from "../../proto/gen/assay/admin/v1/admin_pb.ts";
import { Bundle } from "../../spiffe/bundle/bundle.ts";
import { TrustDomain } from "../../spiffe/id/trust-domain.ts";
import { FakeKubeApi } from "../fakes/fake-kube-api.ts";
import { AGENT_TOKEN, addAgentPod } from "../support/agent-pod.ts";
import { GoProgram } from "../support/foreign-builds.ts";
import { domainAuthority } from "../support/foreign-endpoint.ts";
import { testChecks } from "../support/interop.ts";
import { Machine } from "../support/machine.ts";
import { requires } from "../support/requires.ts";

if (requires("go")) {
  describe("the server, to software made for SPIRE", () => {
    let machine: Machine;
    let admin: readonly string[];
    let api: FakeKubeApi;

    before(async () => {
      machine = await Machine.open();
      await machine.local.startServer();
      admin = ["-admin", machine.local.layout.adminSocket];
      api = await FakeKubeApi.open();
      addAgentPod(api);
      await addCluster();
    });

    after(async () => {
      await machine[Symbol.asyncDispose]();
      await api[Symbol.asyncDispose]();
    });

    async function addCluster(): Promise<void> {
      const serviceAccounts = ["assay-system:assay-agent"];
      const access = { server: api.url, caCertificates: api.caPem, token: api.token };
      await machine.local.server
        .client(Admin)
        .addCluster({ cluster: { name: "east", serviceAccounts }, access }, machine.call);
    }

    /** One entry that federates: with a trust domain that is trusted for all, and with two that are not, of which one is unrestricted. */
    async function federate(): Promise<void> {
      const { server, agentPath, trustDomain } = machine.local;
      const client = server.client(Admin);
      const names = ["whole.test", "lifted.test", "limited.test"];
      for (const name of names) {
        const limits = name === "whole.test" ? { any: true } : { idPatterns: ["/payments/*"] };
        const federation = { trustDomain: name, endpoint: { profile: "none" }, limits };
        const x509Authorities = [domainAuthority(name).certificate];
        const bundle = encodeBundle(new Bundle(TrustDomain.parse(name), { x509Authorities }));
        await client.createFederation({ federation, bundle }, machine.call);
      }
      const entry = {
        spiffeId: { trustDomain, path: "/shop" },
        parentId: { trustDomain, path: agentPath },
        selectors: [{ type: "unix", value: "uid:1" }],
        federatesWith: names,
      };
      const metadata = { unrestrictedFederation: ["lifted.test"] };
      await client.batchCreateEntry({ entries: [{ entry, metadata }] }, machine.call);
    }

    it("is a server that a stock agent can live with", async (t) => {
      await using program = await GoProgram.build("agent");
      const { layout, port } = machine.local;
      const node = ["-pop-chain", layout.nodeCertificate, "-pop-key", layout.nodeKey];
      const pod = ["-psat-cluster", "east", "-psat-token", AGENT_TOKEN];
      await federate();
      const partners = [
        "-given",
        "whole.test,lifted.test",
        "-withheld",
        "limited.test,unknown.test",
      ];
      const args = [...admin, "-server", `127.0.0.1:${port}`, ...node, ...partners, ...pod];
      await testChecks(t, { file: program.file, args }, [
        "join token: admits an agent",
        "a small set of entries comes whole",
        "a large set comes as revisions, then by id",
        "a batch of X509-SVIDs, one of them for an unknown entry",
        "a JWT-SVID that the bundle verifies",
        "the first use of the newer SVID ends the older",
        "a banned agent is told so",
        "join token: the ID that came with it is a second name of the agent",
        "the bundle of whole.test is given",
        "the bundle of lifted.test is given",
        "the bundle of limited.test is withheld",
        "the bundle of unknown.test is withheld",
        "x509pop: after eviction the agent must attest, and may",
        "k8s_psat: proves the node by the token of its pod",
        "k8s_psat: is told to attest again instead of renewing, and may",
      ]);
    });

    it("is a server that a stock administrator can run", async (t) => {
      await using program = await GoProgram.build("admin");
      await testChecks(t, { file: program.file, args: admin }, [
        "health: the server serves",
        "entries: created with all their fields",
        "entries: page by page, each once",
        "agents: listed, counted, and each found by its ID",
        "federated bundles: deleted, and gone",
        "mint: an X509-SVID",
        "authorities: X.509: the old one is tainted, then revoked",
        "logger: set, read and reset",
        "debug: what the server holds",
      ]);
    });
  });
}
