// An agent whose projected token is replaced before it ends, as the kubelet does.

import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { after, before, suite, test } from "node:test";
import { decodeJwt, decodeProtectedHeader, importPKCS8, SignJWT } from "jose";
import { Agent } from "../../../proto/gen/spire/api/server/agent/v1/agent_pb.ts";
import { Bundle } from "../../../proto/gen/spire/api/server/bundle/v1/bundle_pb.ts";
import { formatPem } from "../../../spiffe/x509/pem.ts";
import { eventually } from "../../support/eventually.ts";
import { RunningAgent } from "../../support/running-agent.ts";
import { CALL, csrOf, newKey, RunningServer, TRUST_DOMAIN } from "../../support/running-server.ts";
import { TempDir } from "../../support/temp-dir.ts";
import type { KubeObject } from "../cluster/kube-client.ts";
import { tokenFor } from "../support/api-relay.ts";
import type { PlaneStory } from "./story.ts";

const PODS = "/api/v1/namespaces/assay-system/pods";
const CLUSTER = "rotating";
/** An API server accepts a token for so long after its end, as clocks differ. */
const LEEWAY_SECONDS = 60;
/** What is left to a token that the agent attests with first. */
const LEFT_SECONDS = 12;

export function tokenRotationStories(story: PlaneStory): void {
  suite("an agent's token that is replaced", () => {
    const opened = new AsyncDisposableStack();
    let server: RunningServer;
    let dir: TempDir;
    let fresh: string;

    before(async () => {
      const { client } = story.plane;
      dir = opened.use(await TempDir.open());
      const cluster = {
        kubeconfig: story.kubeconfigPath,
        serviceAccounts: ["assay-system:assay-agent"],
      };
      server = opened.use(
        await RunningServer.open({
          nodeAttestors: { k8s_psat: { clusters: { [CLUSTER]: cluster } } },
        }),
      );
      const pod = await client.create<KubeObject>(PODS, {
        metadata: { name: "rotating" },
        spec: {
          nodeName: "node-1",
          serviceAccountName: "assay-agent",
          containers: [{ name: "main", image: "none", imagePullPolicy: "Never" }],
        },
      });
      fresh = await tokenFor(story.plane, "assay-agent", {
        audiences: ["assay-server"],
        boundObjectRef: { kind: "Pod", apiVersion: "v1", name: "rotating", uid: pod.metadata.uid },
      });
    });
    after(() => opened.disposeAsync());

    /** The token as the API server would have given it for another time. */
    async function endingIn(seconds: number): Promise<string> {
      const { alg = "", ...header } = decodeProtectedHeader(fresh);
      const now = Math.floor(Date.now() / 1000);
      const times = { iat: now - 3600, nbf: now - 3600, exp: now + seconds };
      const key = await readFile(story.plane.tokenKeyPath, "utf8");
      return new SignJWT({ ...decodeJwt(fresh), ...times })
        .setProtectedHeader({ ...header, alg })
        .sign(await importPKCS8(key, alg));
    }
    const attest = (token: string) =>
      server.attest(
        "k8s_psat",
        Buffer.from(JSON.stringify({ cluster: CLUSTER, token })),
        csrOf(newKey()),
      );

    test("one that has ended is refused", async () => {
      await assert.rejects(attest(await endingIn(-2 * LEEWAY_SECONDS)), {
        reason: "token_refused",
      });
    });

    test("the agent attests again with the one that its file holds then, when the first has ended", async () => {
      using admin = server.admin();
      const agents = async () => (await admin.client(Agent).listAgents({}, CALL)).agents;
      const { x509Authorities } = await admin.client(Bundle).getBundle({}, CALL);
      const first = await endingIn(LEFT_SECONDS - LEEWAY_SECONDS);
      const tokenFile = dir.join("token");
      await writeFile(tokenFile, first);
      await using _ = await RunningAgent.open({
        servers: [server.address],
        bundlePem: x509Authorities.map(({ asn1 }) => formatPem("CERTIFICATE", asn1)).join(""),
        dir,
        trustDomain: TRUST_DOMAIN,
        nodeAttestor: { k8s_psat: { cluster: CLUSTER, tokenFile } },
      });
      const [agent] = await eventually("the attestation", async () => {
        const found = await agents();
        return found.length === 1 ? found : undefined;
      });
      await writeFile(tokenFile, fresh);
      await eventually(
        "the end of the first token",
        () =>
          attest(first).then(
            () => undefined,
            ({ reason }) => reason === "token_refused" || undefined,
          ),
        { timeoutMs: 60_000, intervalMs: 500 },
      );
      await admin.client(Agent).deleteAgent({ id: agent?.id }, CALL);
      await eventually(
        "the agent to come back",
        async () => (await agents()).some(({ id }) => id?.path === agent?.id?.path) || undefined,
        { timeoutMs: 30_000 },
      );
    });
  });
}
