// Node attestation by an existing certificate, over real sockets.

import assert from "node:assert/strict";
import { constants, createHash, type KeyObject, randomBytes, sign } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { describe, it } from "node:test";
import { agentDenialReason } from "../../proto/convert/status.ts";
import { Agent } from "../../proto/gen/spire/api/server/agent/v1/agent_pb.ts";
import { PermissionDeniedDetails_Reason as Reason } from "../../proto/gen/spire/api/types/status_pb.ts";
import { Status, StatusError } from "../../runtime/errors/status-error.ts";
import { formatPem } from "../../spiffe/x509/pem.ts";
import {
  CALL,
  csrOf,
  newKey,
  RunningServer,
  type Settings,
  TRUST_DOMAIN,
} from "../support/running-server.ts";
import { TempDir } from "../support/temp-dir.ts";
import {
  keyUsage,
  secondsFromNow,
  TestAuthority,
  type TestKeyType,
  testKey,
  uriSan,
} from "../support/test-ca.ts";

const HOUR = 3600;
// The shapes of the test CA are valid around its own fixed time; the server here lives now.
const valid = { notBefore: secondsFromNow(-HOUR), notAfter: secondsFromNow(24 * 365 * HOUR) };

const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString("base64");
const payloadOf = (...chain: readonly Uint8Array[]): Uint8Array =>
  Buffer.from(JSON.stringify({ certificates: chain.map(base64) }));

/** The agent's half: signs both nonces with the node's key. */
function answerWith(key: KeyObject): (challenge: Uint8Array) => Uint8Array {
  return (challenge) => {
    const { rsa_signature: rsa, ecdsa_signature: ecdsa } = JSON.parse(
      Buffer.from(challenge).toString("utf8"),
    );
    const nonce = randomBytes(32);
    const theirs = Buffer.from((rsa ?? ecdsa).nonce, "base64");
    const signed = Buffer.concat([theirs, nonce]);
    if (rsa !== null) {
      const padding = constants.RSA_PKCS1_PSS_PADDING;
      const signature = base64(sign("sha256", signed, { key, padding }));
      return Buffer.from(JSON.stringify({ rsa_signature: { nonce: base64(nonce), signature } }));
    }
    const both = sign("sha256", signed, { key, dsaEncoding: "ieee-p1363" });
    const [r, s] = [both.subarray(0, both.length / 2), both.subarray(both.length / 2)];
    return Buffer.from(
      JSON.stringify({ ecdsa_signature: { nonce: base64(nonce), r: base64(r), s: base64(s) } }),
    );
  };
}

/** A PKI with a root that the server trusts. */
class NodePki implements AsyncDisposable {
  readonly root = TestAuthority.root(valid);
  readonly #dir: TempDir;

  private constructor(dir: TempDir) {
    this.#dir = dir;
  }

  static async open(): Promise<NodePki> {
    const pki = new NodePki(await TempDir.open());
    await writeFile(pki.#file, formatPem("CERTIFICATE", pki.root.der));
    return pki;
  }

  get #file(): string {
    return this.#dir.join("ca.pem");
  }

  settings(more: object = {}): Settings {
    return { nodeAttestors: { x509pop: { caBundle: this.#file, ...more } } };
  }

  node(type: TestKeyType = "P-256", shape: Parameters<TestAuthority["leaf"]>[0] = {}) {
    return this.root.leaf({
      ...valid,
      key: testKey(type),
      subject: { commonName: "node-1" },
      subjectAltName: uriSan(`x509pop://${TRUST_DOMAIN}/rack/12/a`),
      extKeyUsage: undefined,
      ...shape,
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#dir[Symbol.asyncDispose]();
  }
}

describe("a server that attests by x509pop", () => {
  for (const type of ["P-256", "P-384", "P-521", "rsa-2048"] as const) {
    it(`takes a certificate with a ${type} key, and what it says about the node`, async () => {
      await using pki = await NodePki.open();
      await using server = await RunningServer.open(pki.settings());
      const { der, privateKey } = pki.node(type);
      const { id, reattestable } = await server.attest(
        "x509pop",
        payloadOf(der),
        csrOf(newKey()),
        answerWith(privateKey),
      );
      const fingerprint = createHash("sha1").update(der).digest("hex");
      assert.equal(id, `spiffe://${TRUST_DOMAIN}/spire/agent/x509pop/${fingerprint}`);
      assert.equal(reattestable, true);
      using admin = server.admin();
      const { agents } = await admin.client(Agent).listAgents({}, CALL);
      const values = agents[0]?.selectors.map(({ value }) => value) ?? [];
      const authority = createHash("sha1").update(pki.root.der).digest("hex");
      assert.deepEqual(
        values.filter((value) => !value.startsWith("serialnumber:")),
        [`ca:fingerprint:${authority}`, "san:rack:12/a", "subject:cn:node-1"],
      );
    });
  }

  it("finds the way over intermediates that the node sends along", async () => {
    await using pki = await NodePki.open();
    await using server = await RunningServer.open(pki.settings());
    const middle = pki.root.intermediate(valid);
    const leaf = middle.leaf({ ...valid, subject: { commonName: "n" }, subjectAltName: undefined });
    const attest = (...chain: Uint8Array[]) =>
      server.attest("x509pop", payloadOf(...chain), csrOf(newKey()), answerWith(leaf.privateKey));
    await attest(leaf.der, middle.der);
    await assert.rejects(attest(leaf.der), {
      code: Status.PERMISSION_DENIED,
      message: "certificate: certificate was signed by no trusted authority",
    });
  });

  it("gives the same ID again when the node attests again, and refuses to renew", async () => {
    await using pki = await NodePki.open();
    await using server = await RunningServer.open(pki.settings());
    const { der, privateKey } = pki.node();
    const attest = (key: KeyObject) =>
      server.attest("x509pop", payloadOf(der), csrOf(key), answerWith(privateKey));
    const key = newKey();
    const first = await attest(key);
    using agent = server.connect({ chainDer: first.chainDer, privateKey: key });
    const params = { csr: csrOf(newKey()) };
    await assert.rejects(agent.client(Agent).renewAgent({ params }, CALL), (err) => {
      assert.ok(err instanceof StatusError);
      return agentDenialReason(err) === Reason.AGENT_MUST_REATTEST;
    });
    assert.equal((await attest(newKey())).id, first.id);
  });

  it("makes the ID from a template", async () => {
    await using pki = await NodePki.open();
    await using server = await RunningServer.open(
      pki.settings({ agentPathTemplate: "/node/{cn}" }),
    );
    const attest = (commonName: string) => {
      const { der, privateKey } = pki.node("P-256", { subject: { commonName } });
      return server.attest("x509pop", payloadOf(der), csrOf(newKey()), answerWith(privateKey));
    };
    const { id } = await attest("host-7");
    assert.equal(id, `spiffe://${TRUST_DOMAIN}/spire/agent/node/host-7`);
    await assert.rejects(attest("a/../b"), {
      code: Status.INVALID_ARGUMENT,
      message: "certificate: the cn does not fit into the agent's ID",
    });
    await assert.rejects(attest(".."), { code: Status.INVALID_ARGUMENT });
  });

  it("takes X509-SVIDs of an identity exchange in spiffe mode, by their path", async () => {
    await using server = await RunningServer.open({
      nodeAttestors: { x509pop: { mode: "spiffe" } },
    });
    const attest = async (path: string) => {
      const { chainDer, privateKey } = await server.mint(path);
      const payload = payloadOf(...chainDer);
      return server.attest("x509pop", payload, csrOf(newKey()), answerWith(privateKey));
    };
    const { id } = await attest("/spire-exchange/cluster/node-1");
    assert.equal(id, `spiffe://${TRUST_DOMAIN}/spire/agent/x509pop/cluster/node-1`);
    await assert.rejects(attest("/ns/shop/web"), {
      code: Status.PERMISSION_DENIED,
      message: "certificate: its SPIFFE ID is not below /spire-exchange/",
    });
  });

  const refused: readonly {
    name: string;
    attempt: (pki: NodePki) => {
      chain: readonly Uint8Array[];
      answer: (c: Uint8Array) => Uint8Array;
    };
    code: number;
    message: string;
  }[] = [
    {
      name: "a proof by another key",
      attempt: (pki) => ({ chain: [pki.node().der], answer: answerWith(newKey()) }),
      code: Status.PERMISSION_DENIED,
      message: "challenge response: signature does not match the certificate's key",
    },
    {
      name: "a certificate of another PKI",
      attempt: () => {
        const { der, privateKey } = TestAuthority.root(valid).leaf({ ...valid });
        return { chain: [der], answer: answerWith(privateKey) };
      },
      code: Status.PERMISSION_DENIED,
      message: "certificate: certificate was signed by no trusted authority",
    },
    {
      name: "a certificate that has expired",
      attempt: (pki) => {
        const { der, privateKey } = pki.node("P-256", {
          notBefore: new Date("2020-01-01T00:00:00Z"),
          notAfter: new Date("2020-01-02T00:00:00Z"),
        });
        return { chain: [der], answer: answerWith(privateKey) };
      },
      code: Status.PERMISSION_DENIED,
      message: "certificate: a certificate has expired",
    },
    {
      name: "a key that may not sign",
      attempt: (pki) => {
        const { der, privateKey } = pki.node("P-256", { keyUsage: keyUsage("keyEncipherment") });
        return { chain: [der], answer: answerWith(privateKey) };
      },
      code: Status.PERMISSION_DENIED,
      message: "certificate: its key may not make digital signatures",
    },
    {
      name: "a weak key",
      attempt: (pki) => {
        const { der, privateKey } = pki.node("rsa-1024");
        return { chain: [der], answer: answerWith(privateKey) };
      },
      code: Status.PERMISSION_DENIED,
      message:
        "certificate key: expected RSA with 2048 to 8192 bits, or EC on P-256, P-384 or P-521",
    },
    {
      name: "no certificate at all",
      attempt: () => ({ chain: [], answer: answerWith(newKey()) }),
      code: Status.INVALID_ARGUMENT,
      message: "attestation payload: certificates is malformed",
    },
    {
      name: "what is no certificate",
      attempt: () => ({ chain: [new Uint8Array([1, 2, 3])], answer: answerWith(newKey()) }),
      code: Status.INVALID_ARGUMENT,
      message: "attestation payload: certificates.0: ",
    },
    {
      name: "an answer that is none",
      attempt: (pki) => ({ chain: [pki.node().der], answer: () => Buffer.from("{}") }),
      code: Status.INVALID_ARGUMENT,
      message: "challenge response: expected exactly one signature",
    },
    {
      name: "an answer with a nonce of another length",
      attempt: (pki) => ({
        chain: [pki.node().der],
        answer: () =>
          Buffer.from(JSON.stringify({ ecdsa_signature: { nonce: "AA==", r: "AA==", s: "AA==" } })),
      }),
      code: Status.PERMISSION_DENIED,
      message: "challenge response: expected a nonce of 32 bytes",
    },
  ];
  it("refuses what proves nothing", async (t) => {
    await using pki = await NodePki.open();
    await using server = await RunningServer.open(pki.settings());
    for (const { name, attempt, code, message } of refused) {
      await t.test(name, async () => {
        const { chain, answer } = attempt(pki);
        const attesting = server.attest("x509pop", payloadOf(...chain), csrOf(newKey()), answer);
        await assert.rejects(attesting, (err) => {
          assert.ok(err instanceof StatusError);
          assert.equal(err.code, code);
          assert.ok(err.message.startsWith(message), err.message);
          return true;
        });
      });
    }
  });

  it("does not start with a bundle that cannot be used", async () => {
    await using pki = await NodePki.open();
    await assert.rejects(RunningServer.open(pki.settings({ caBundle: "/nonexistent" })), {
      name: "ConfigError",
      message: /^node attestation: nodeAttestors\.x509pop\.caBundle: \/nonexistent: ENOENT/,
    });
  });
});
