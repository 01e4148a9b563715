// A stock agent and a stock administrator, both through spire-api-sdk, against our server as a process.

import { after, before, describe, it } from "node:test";
import { Admin } from "../../proto/gen/assay/admin/v1/admin_pb.ts";
import { FakeKubeApi } from "../fakes/fake-kube-api.ts";
import { AGENT_TOKEN, addAgentPod } from "../support/agent-pod.ts";
import { GoProgram } from "../support/foreign-builds.ts";
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

    it("is a server that a stock agent can live with", async (t) => {
      await using program = await GoProgram.build("agent");
      const { layout, port } = machine.local;
      const node = ["-pop-chain", layout.nodeCertificate, "-pop-key", layout.nodeKey];
      const pod = ["-psat-cluster", "east", "-psat-token", AGENT_TOKEN];
      const args = [...admin, "-server", `127.0.0.1:${port}`, ...node, ...pod];
      await testChecks(t, { file: program.file, args }, [
        "join token: admits an agent",
        "a small set of entries comes whole",
        "a large set comes as revisions, then by id",
        "a batch of X509-SVIDs, one of them for an unknown entry",
        "a JWT-SVID that the bundle verifies",
        "the first use of the newer SVID ends the older",
        "a banned agent is told so",
        "join token: the ID that came with it is a second name of the agent",
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
