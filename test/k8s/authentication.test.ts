// A real API server that takes our JWT-SVIDs for users of Kubernetes, by structured authentication.

import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, suite, test } from "node:test";
import { stringify } from "yaml";
import { freePort } from "../../deploy/local/free-port.ts";
import { eventually } from "../support/eventually.ts";
import { OidcMachine, webCa, webFetch, writeWebCertificate } from "../support/oidc-machine.ts";
import { requires } from "../support/requires.ts";
import { TempDir } from "../support/temp-dir.ts";
import { ensureBinaries } from "./build/binaries.ts";
import { makeTokenKeys } from "./cluster/certificates.ts";
import { clusterNeeds } from "./cluster/needs.ts";

const AUDIENCE = "kubernetes.example.org";
const REVIEWS = "/apis/authentication.k8s.io/v1/selfsubjectreviews";

if (requires(...clusterNeeds)) {
  suite("JWT-SVIDs as users of Kubernetes", () => {
    const opened = new AsyncDisposableStack();
    let world: OidcMachine;
    let api: string;

    before(async () => {
      const binaries = await ensureBinaries("cluster", () => {});
      const dir = opened.use(await TempDir.open());
      world = opened.use(await OidcMachine.start());
      const etcd = `http://127.0.0.1:${await freePort(0)}`;
      run(join(binaries, "etcd"), [
        ...["--data-dir", dir.join("etcd"), "--unsafe-no-fsync"],
        ...["--listen-client-urls", etcd, "--advertise-client-urls", etcd],
        ...["--listen-peer-urls", `http://127.0.0.1:${await freePort(0)}`],
      ]);
      const { certFile, keyFile } = await writeWebCertificate(dir);
      const tokens = makeTokenKeys();
      await writeFile(dir.join("tokens.pub"), tokens.publicKey);
      await writeFile(dir.join("tokens.key"), tokens.privateKey);
      await writeFile(dir.join("authentication.yaml"), stringify(authentication(world)));
      const port = await freePort(0);
      run(join(binaries, "kube-apiserver"), [
        `--etcd-servers=${etcd}`,
        ...["--bind-address=127.0.0.1", `--secure-port=${port}`],
        ...[`--tls-cert-file=${certFile}`, `--tls-private-key-file=${keyFile}`],
        `--service-account-key-file=${dir.join("tokens.pub")}`,
        `--service-account-signing-key-file=${dir.join("tokens.key")}`,
        "--service-account-issuer=https://kubernetes.default.svc",
        "--authorization-mode=RBAC",
        `--authentication-config=${dir.join("authentication.yaml")}`,
      ]);
      api = `https://127.0.0.1:${port}`;
      // Ready, and with the roles that are there by default.
      await eventually(
        "the API server",
        async () => ((await review(await tokenFor(AUDIENCE))).status === 201 ? true : undefined),
        { timeoutMs: 90_000, intervalMs: 250 },
      );
    });

    after(() => opened.disposeAsync());

    function run(file: string, args: readonly string[]): void {
      const child: ChildProcess = spawn(file, args, { stdio: "ignore" });
      opened.defer(async () => {
        if (child.exitCode !== null || child.signalCode !== null) return;
        const ended = once(child, "exit");
        child.kill("SIGKILL");
        await ended;
      });
    }

    async function tokenFor(audience: string): Promise<string> {
      return (await world.token(audience)).token;
    }

    /** Asks the API server whom it takes the bearer of a token for. */
    function review(token: string): Promise<Response> {
      const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
      const body = JSON.stringify({
        apiVersion: "authentication.k8s.io/v1",
        kind: "SelfSubjectReview",
      });
      return webFetch(`${api}${REVIEWS}`, { method: "POST", headers, body });
    }

    test("the user is the SPIFFE ID", async () => {
      const answer = await review(await tokenFor(AUDIENCE));
      const { status } = (await answer.json()) as {
        status: { userInfo: { username: string; groups: readonly string[] } };
      };
      assert.equal(status.userInfo.username, `assay:${world.id}`);
      assert.deepEqual(status.userInfo.groups.toSorted(), [
        "assay:workloads",
        "system:authenticated",
      ]);
    });

    test("what the user may do is up to its roles", async () => {
      const headers = { authorization: `Bearer ${await tokenFor(AUDIENCE)}` };
      const answer = await webFetch(`${api}/api/v1/namespaces`, { headers });
      assert.equal(answer.status, 403);
      assert.ok((await answer.text()).includes(`assay:${world.id}`));
    });

    test("tokens for others are nobody's", async () => {
      assert.equal((await review(await tokenFor("sts.amazonaws.com"))).status, 401);
      const [head, body] = (await tokenFor(AUDIENCE)).split(".");
      assert.equal((await review(`${head}.${body}.AAAA`)).status, 401);
    });
  });
}

/** As in docs/consumers/kubernetes-authentication.md. */
function authentication({ issuer }: OidcMachine): object {
  return {
    apiVersion: "apiserver.config.k8s.io/v1",
    kind: "AuthenticationConfiguration",
    jwt: [
      {
        issuer: { url: issuer, audiences: [AUDIENCE], certificateAuthority: webCa },
        claimValidationRules: [
          {
            expression: "claims.sub.startsWith('spiffe://example.test/')",
            message: "the subject is of another trust domain",
          },
        ],
        claimMappings: {
          username: { expression: "'assay:' + claims.sub" },
          groups: { expression: "['assay:workloads']" },
        },
      },
    ],
  };
}
