import assert from "node:assert/strict";
import { generateKeyPairSync, hash } from "node:crypto";
import { describe, it } from "node:test";
import { Status, StatusError } from "../../runtime/errors/status-error.ts";
import { SpiffeId } from "../../spiffe/id/spiffe-id.ts";
import { verifyJwtSvid } from "../../spiffe/svid/jwt-svid.ts";
import { verifyWitSvid } from "../../spiffe/svid/wit-svid.ts";
import { verifyX509Svid } from "../../spiffe/svid/x509-verify.ts";
import { Certificate } from "../../spiffe/x509/certificate.ts";
import { FakeAuditLog } from "../../test/fakes/fake-audit-log.ts";
import { RemoteKeyManager } from "../../test/fakes/remote-key-manager.ts";
import { CaWorld, csrFor } from "../../test/support/ca-world.ts";
import type { IssuanceCall, X509SvidOrder, X509SvidResult } from "./issuance.ts";

/** What a refusal is compared with. */
function refusedWith(code: number, reason?: string): object {
  return reason === undefined ? { code } : { code, reason };
}

function newKey() {
  return generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey;
}

function codeOf(result: X509SvidResult | undefined): string {
  if (result?.issued === true) return "issued";
  return `${result?.error.code} ${result?.error.reason}: ${result?.error.message}`;
}

const spoiltSignature = (csrDer: Uint8Array): Uint8Array => {
  const spoilt = Uint8Array.from(csrDer);
  const last = spoilt.length - 1;
  spoilt[last] = (spoilt[last] ?? 0) ^ 1;
  return spoilt;
};

const minter: IssuanceCall = {
  requestId: "m1",
  source: "unix",
  actor: { kind: "administrator", id: "uid:0", mayMint: true },
  auditActors: [{ kind: "user", id: "uid:0", podUid: null, node: null }],
};

describe("signX509Svids", () => {
  for (const threads of [0, 2]) {
    it(`signs what verifies against the bundle, with ${threads} threads`, async () => {
      await using world = await CaWorld.open({ threads });
      const orders = Array.from({ length: 40 }, (_, n) => world.workloadOrder(`/w/${n}`));
      const results = await world.ca.signX509Svids(world.agentCall, orders);
      for (const [index, result] of results.entries()) {
        assert.ok(result.issued);
        const chain = result.svid.chainDer.map((der) => Certificate.parse(der));
        const verified = verifyX509Svid(chain, world.bundle.feed.value, world.clock.now());
        assert.equal(verified.id.toString(), `spiffe://a.test/w/${index}`);
        assert.equal(chain[0]?.serialNumberHex, result.svid.serialNumberHex);
      }
    });

    it(`certifies no key that is known to be bad, with ${threads} threads`, async () => {
      const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
      const spki = publicKey.export({ format: "der", type: "spki" });
      const knownBadKeys = new Set([hash("sha256", spki, "hex")]);
      await using world = await CaWorld.open({ threads, knownBadKeys, witSvids: true });
      const good = world.workloadOrder("/web");
      const orders = Array.from({ length: 20 }, () => ({ ...good, csrDer: csrFor(privateKey) }));
      for (const result of await world.ca.signX509Svids(world.agentCall, orders)) {
        assert.ok(!result.issued);
        assert.match(result.error.message, /the key is known to be compromised/);
      }
      const bound = {
        profile: "wit_workload",
        publicKeySpki: spki,
        signingAlgorithm: "ES256",
      } as const;
      const { spiffeId, entry } = good;
      assert.ok(entry);
      await assert.rejects(
        world.ca.signWitSvid(world.agentCall, { ...bound, spiffeId, entry }),
        /the key is known to be compromised/,
      );
    });

    it(`answers item by item, with ${threads} threads: one bad request does not fail the others`, async () => {
      await using world = await CaWorld.open({ threads });
      const good = world.workloadOrder("/good");
      const { privateKey: ed25519 } = generateKeyPairSync("ed25519");
      const { privateKey: p224 } = generateKeyPairSync("ec", { namedCurve: "secp224r1" });
      const { privateKey: rsa1024 } = generateKeyPairSync("rsa", { modulusLength: 1024 });
      const csrs = [
        good.csrDer,
        spoiltSignature(good.csrDer),
        Buffer.from("hello"),
        Buffer.concat([good.csrDer, Buffer.of(0)]),
        new Uint8Array(1_000_000),
        csrFor(ed25519),
        csrFor(rsa1024),
        good.csrDer,
      ];
      assert.throws(() => csrFor(p224));
      const orders = csrs.map((csrDer): X509SvidOrder => ({ ...good, csrDer }));
      const results = await world.ca.signX509Svids(world.agentCall, orders);
      const bad = Status.INVALID_ARGUMENT;
      assert.deepEqual(results.map(codeOf), [
        "issued",
        `${bad} csr_signature: csr: the certificate request is not signed with its own key`,
        `${bad} csr_malformed: csr: not a certificate request`,
        `${bad} csr_malformed: csr: not DER: unexpected bytes after the last element`,
        `${bad} csr_malformed: csr: not a certificate request`,
        `${bad} csr_key: csr: the key must be ECDSA on P-256, P-384 or P-521, or RSA`,
        `${bad} csr_key: csr: an RSA key must have 2048 to 4096 bits`,
        "issued",
      ]);
    });
  }

  it("takes ID, names and lifetime from the order and nothing but the key from the request", async () => {
    await using world = await CaWorld.open();
    const { privateKey, publicKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
    const order = world.workloadOrder("/web", {
      csrDer: csrFor(privateKey),
      dnsNames: ["web.a.test", "*.web.a.test"],
      ttlSeconds: 600,
    });
    const [result] = await world.ca.signX509Svids(world.agentCall, [order]);
    assert.ok(result?.issued);
    const leaf = Certificate.parse(result.svid.chainDer[0] ?? new Uint8Array());
    assert.ok(leaf.publicKey.equals(publicKey));
    assert.deepEqual(leaf.uriSans, ["spiffe://a.test/web"]);
    assert.deepEqual(leaf.dnsSans, ["web.a.test", "*.web.a.test"]);
    assert.equal(leaf.notBefore.getTime(), world.clock.now().getTime() - 10_000);
    assert.equal(leaf.notAfter.getTime(), world.clock.now().getTime() + 600_000);
    assert.deepEqual([...(leaf.keyUsage ?? [])], ["digitalSignature", "keyEncipherment"]);
    assert.equal(result.svid.chainDer.length, 1);
    assert.equal(result.svid.cappedBy, undefined);
  });

  it("records the intent before the key is used and the outcome after", async () => {
    const audit = new FakeAuditLog();
    await using world = await CaWorld.open({ audit });
    let release = (): void => undefined;
    audit.durable = () => new Promise((resolve) => (release = resolve));
    let done = false;
    const before = audit.lines.length;
    const signing = world.ca
      .signX509Svids(world.agentCall, [world.workloadOrder("/a"), world.workloadOrder("/b")])
      .finally(() => {
        done = true;
      });
    await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
    assert.equal(done, false);
    release();
    const results = await signing;
    const [intent, outcome] = audit.lines.slice(before);
    assert.deepEqual([intent?.phase, intent?.action], ["intent", "svid.x509.issue"]);
    assert.deepEqual([outcome?.phase, outcome?.facts.decision], ["outcome", "allow"]);
    assert.equal(intent?.facts.requestId, "r1");
    assert.equal(intent?.facts.actors[0]?.id, "spiffe://a.test/spire/agent/x");
    const [first] = intent?.facts.batch ?? [];
    assert.ok(results[0]?.issued);
    assert.equal(first?.credential?.serial, results[0].svid.serialNumberHex);
    assert.equal(first?.subject?.id, "spiffe://a.test/a");
    assert.equal(first?.entry?.id, "entry-a");
    assert.match(first?.publicKeySha256 ?? "", /^[0-9a-f]{64}$/);
  });

  it("signs nothing when the intent cannot be recorded, and works again afterwards", async () => {
    const audit = new FakeAuditLog();
    const keys = new RemoteKeyManager();
    await using world = await CaWorld.open({ audit, keys });
    const signatures = keys.signatures;
    audit.setWritable(false);
    const asking = () => world.ca.signX509Svids(world.agentCall, [world.workloadOrder("/a")]);
    await assert.rejects(asking, refusedWith(Status.UNAVAILABLE, "audit_unavailable"));
    assert.equal(keys.signatures, signatures);
    audit.setWritable(true);
    assert.equal(codeOf((await asking())[0]), "issued");
  });

  it("records which items of a batch were not signed", async () => {
    await using world = await CaWorld.open();
    const good = world.workloadOrder("/a");
    const bad = { ...good, csrDer: spoiltSignature(good.csrDer) };
    await world.ca.signX509Svids(world.agentCall, [good, bad]);
    assert.deepEqual(world.audit.lines.at(-1)?.facts.batch, [
      { decision: "allow" },
      { decision: "failed", reasonCode: "csr_signature" },
    ]);
    await world.ca.signX509Svids(world.agentCall, [bad]);
    const { decision, reasonCode } = world.audit.lines.at(-1)?.facts ?? {};
    assert.deepEqual([decision, reasonCode], ["failed", "csr_signature"]);
  });

  it("records what the policy denies, without an intent", async () => {
    await using world = await CaWorld.open({ facts: { isBanned: () => true } });
    const [result] = await world.ca.signX509Svids(world.agentCall, [world.workloadOrder("/a")]);
    assert.equal(codeOf(result), `${Status.PERMISSION_DENIED} actor_banned: agent is banned`);
    const { phase, action, facts } = world.audit.lines.at(-1) ?? {};
    assert.deepEqual([phase, action], ["event", "svid.x509.refuse"]);
    assert.deepEqual([facts?.decision, facts?.reasonCode], ["deny", "actor_banned"]);
    assert.deepEqual(facts?.ruleIds, ["banned"]);
  });

  it("says when the end of the authority shortened the life, and counts it", async () => {
    await using world = await CaWorld.open({ settings: { ttlSeconds: 1800 } });
    const [result] = await world.ca.signX509Svids(world.agentCall, [world.workloadOrder("/a")]);
    assert.ok(result?.issued);
    assert.equal(result.svid.cappedBy, "authority");
    assert.equal(result.svid.notAfter.getTime(), world.clock.now().getTime() + 1_800_000);
    const text = await world.metrics.text();
    assert.match(text, /svid_lifetimes_capped_total\{kind="x509",by="authority"\} 1/);
    assert.match(text, /svids_total\{kind="x509",outcome="issued"\} 1/);
  });

  it("refuses more than 500 at once", async () => {
    await using world = await CaWorld.open();
    const order = world.workloadOrder("/a");
    await assert.rejects(
      world.ca.signX509Svids(
        world.agentCall,
        Array.from({ length: 501 }, () => order),
      ),
      refusedWith(Status.INVALID_ARGUMENT),
    );
  });

  it("says that nobody can sign when the authority's time is up", async () => {
    await using world = await CaWorld.open({ settings: { ttlSeconds: 1800 } });
    world.clock.jump(1_800_000);
    await assert.rejects(
      world.ca.signX509Svids(world.agentCall, [world.workloadOrder("/a")]),
      refusedWith(Status.UNAVAILABLE, "no_authority"),
    );
  });

  for (const threads of [0, 1]) {
    it(`signs by a key that lives elsewhere, with ${threads} threads`, async () => {
      await using world = await CaWorld.open({ keys: new RemoteKeyManager(), threads });
      const orders = [world.workloadOrder("/a"), world.workloadOrder("/b")];
      for (const result of await world.ca.signX509Svids(world.agentCall, orders)) {
        assert.ok(result.issued);
        const chain = result.svid.chainDer.map((der) => Certificate.parse(der));
        verifyX509Svid(chain, world.bundle.feed.value, world.clock.now());
      }
    });

    it(`gives out nothing that such a key signed wrongly, with ${threads} threads`, async () => {
      const keys = new RemoteKeyManager();
      await using world = await CaWorld.open({ keys, threads });
      keys.spoil = true;
      await assert.rejects(
        world.ca.signX509Svids(world.agentCall, [world.workloadOrder("/a")]),
        refusedWith(Status.UNAVAILABLE, "signing_failed"),
      );
      assert.equal(world.audit.lines.at(-1)?.facts.decision, "failed");
    });
  }

  it("signs by the new authority as soon as it is active, in threads too", async () => {
    await using world = await CaWorld.open({ threads: 1 });
    const orders = [world.workloadOrder("/a"), world.workloadOrder("/b")];
    const issuers = new Set<string>();
    for (let round = 0; round < 3; round++) {
      const results = await world.ca.signX509Svids(world.agentCall, orders);
      for (const result of results) {
        assert.ok(result.issued);
        const chain = result.svid.chainDer.map((der) => Certificate.parse(der));
        verifyX509Svid(chain, world.bundle.feed.value, world.clock.now());
        issuers.add(result.svid.authorityId);
      }
      const { id } = await world.authorities.prepare({ kind: "x509", keyType: "ec-p256" });
      await world.authorities.activate("x509", id);
    }
    assert.equal(issuers.size, 3);
  });
});

describe("signJwtSvid", () => {
  const order = (world: CaWorld) => {
    const { spiffeId, entry } = world.workloadOrder("/web");
    const wanted = { profile: "jwt_workload", spiffeId, audiences: ["db", "queue"] } as const;
    return entry === undefined ? wanted : { ...wanted, entry };
  };

  for (const type of ["ec-p256", "ec-p384", "rsa-2048"] as const) {
    it(`signs by ${type} what verifies against the bundle`, async () => {
      await using world = await CaWorld.open({
        jwtKeyTypes: [type],
        tokenIssuer: "https://oidc.a.test",
      });
      const { token, jti, expiresAt } = await world.ca.signJwtSvid(world.agentCall, order(world));
      const now = world.clock.now();
      const svid = await verifyJwtSvid(token, world.bundle.feed.value, ["queue"], now);
      assert.equal(svid.id.toString(), "spiffe://a.test/web");
      const [header = "", payload = ""] = token.split(".");
      const decode = (part: string) => JSON.parse(Buffer.from(part, "base64url").toString());
      assert.deepEqual(Object.keys(decode(header)).sort(), ["alg", "kid", "typ"]);
      const iat = now.getTime() / 1000;
      assert.deepEqual(decode(payload), {
        sub: "spiffe://a.test/web",
        aud: ["db", "queue"],
        exp: iat + 300,
        iat,
        jti,
        iss: "https://oidc.a.test",
      });
      assert.equal(expiresAt.getTime(), (iat + 300) * 1000);
      assert.equal(Buffer.from(jti, "base64url").length, 16);
    });
  }

  it("signs with the algorithm that the audience wants, and with the default one otherwise", async () => {
    await using world = await CaWorld.open({
      jwtKeyTypes: ["ec-p256", "rsa-2048"],
      audienceAlgorithms: new Map([["db", "RS256"]]),
    });
    const algorithmOf = async (audience: string): Promise<unknown> => {
      const wanted = { ...order(world), audiences: [audience] };
      const { token } = await world.ca.signJwtSvid(world.agentCall, wanted);
      await verifyJwtSvid(token, world.bundle.feed.value, [audience], world.clock.now());
      return JSON.parse(Buffer.from(token.split(".")[0] ?? "", "base64url").toString()).alg;
    };
    assert.deepEqual([await algorithmOf("db"), await algorithmOf("other")], ["RS256", "ES256"]);
  });

  it("gives every token another name, and records it before signing", async () => {
    await using world = await CaWorld.open();
    const tokens = await Promise.all([
      world.ca.signJwtSvid(world.agentCall, order(world)),
      world.ca.signJwtSvid(world.agentCall, order(world)),
    ]);
    assert.notEqual(tokens[0].jti, tokens[1].jti);
    const intents = world.audit.lines.filter(({ action }) => action === "svid.jwt.issue");
    const recorded = intents.map(({ facts }) => facts.credential?.jti).filter(Boolean);
    assert.deepEqual(
      recorded,
      tokens.map(({ jti }) => jti),
    );
    assert.doesNotMatch(JSON.stringify(world.audit.lines), /eyJ/);
  });

  it("refuses a token without an audience", async () => {
    await using world = await CaWorld.open();
    await assert.rejects(
      world.ca.signJwtSvid(world.agentCall, { ...order(world), audiences: [] }),
      refusedWith(Status.INVALID_ARGUMENT, "audience_missing"),
    );
  });

  it("mints for whoever has the role, and for nobody else", async () => {
    await using world = await CaWorld.open();
    const spiffeId = SpiffeId.parse("spiffe://a.test/any");
    const mint = { profile: "jwt_mint", spiffeId, audiences: ["db"] } as const;
    await world.ca.signJwtSvid(minter, mint);
    await assert.rejects(
      world.ca.signJwtSvid({ ...minter, actor: { ...minter.actor, mayMint: false } }, mint),
      refusedWith(Status.PERMISSION_DENIED, "not_minter"),
    );
  });
});

describe("signWitSvid", () => {
  const spki = newKey();

  it("binds a token to the holder's key", async () => {
    await using world = await CaWorld.open({ witSvids: true });
    const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-384" });
    assert.ok(privateKey);
    const { spiffeId, entry } = world.workloadOrder("/web");
    assert.ok(entry);
    const { token } = await world.ca.signWitSvid(world.agentCall, {
      profile: "wit_workload",
      spiffeId,
      entry,
      publicKeySpki: publicKey.export({ format: "der", type: "spki" }),
      signingAlgorithm: "ES384",
    });
    const wit = await verifyWitSvid(token, world.bundle.feed.value, world.clock.now());
    assert.equal(wit.id.toString(), "spiffe://a.test/web");
    assert.ok(wit.confirmationKey.equals(publicKey));
  });

  it("is not there unless it is switched on", async () => {
    await using world = await CaWorld.open();
    const order = {
      profile: "wit_mint",
      spiffeId: SpiffeId.parse("spiffe://a.test/any"),
      publicKeySpki: spki.export({ format: "der", type: "pkcs8" }),
      signingAlgorithm: "ES256",
    } as const;
    await assert.rejects(
      world.ca.signWitSvid(minter, order),
      refusedWith(Status.UNIMPLEMENTED, "disabled"),
    );
  });

  it("refuses a key that the algorithm does not fit, and what is no key", async () => {
    await using world = await CaWorld.open({ witSvids: true });
    const { publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    const spiffeId = SpiffeId.parse("spiffe://a.test/any");
    const order = {
      profile: "wit_mint",
      spiffeId,
      publicKeySpki: publicKey.export({ format: "der", type: "spki" }),
      signingAlgorithm: "ES384",
    } as const;
    await assert.rejects(
      world.ca.signWitSvid(minter, order),
      refusedWith(Status.INVALID_ARGUMENT, "key"),
    );
    await assert.rejects(
      world.ca.signWitSvid(minter, { ...order, publicKeySpki: Buffer.from("hello") }),
      refusedWith(Status.INVALID_ARGUMENT, "key"),
    );
  });
});

describe("signDownstreamCa", () => {
  const call: IssuanceCall = {
    ...minter,
    actor: { kind: "downstream", id: "spiffe://a.test/nested", mayMint: false },
  };

  it("signs a CA under which SVIDs verify", async () => {
    await using world = await CaWorld.open();
    const { spiffeId, entry } = world.workloadOrder("/nested");
    assert.ok(entry);
    const order = { spiffeId, entry: { ...entry, downstream: true }, csrDer: csrFor(newKey()) };
    const { chainDer, notAfter, cappedBy } = await world.ca.signDownstreamCa(call, order);
    const certificate = Certificate.parse(chainDer[0] ?? new Uint8Array());
    const [root] = world.bundle.feed.value.x509Authorities;
    assert.ok(root !== undefined && certificate.isSignedBy(root.publicKey));
    assert.ok(certificate.isCa);
    assert.deepEqual(certificate.uriSans, ["spiffe://a.test"]);
    assert.equal(certificate.notAfter.getTime(), notAfter.getTime());
    assert.equal(cappedBy, undefined);
    assert.equal(world.audit.lines.at(-1)?.action, "ca.issue");
  });

  it("signs none for an entry without the flag, nor for a bad request", async () => {
    await using world = await CaWorld.open();
    const { spiffeId, entry } = world.workloadOrder("/nested");
    assert.ok(entry);
    const csrDer = csrFor(newKey());
    await assert.rejects(
      world.ca.signDownstreamCa(call, { spiffeId, entry, csrDer }),
      refusedWith(Status.PERMISSION_DENIED, "not_downstream"),
    );
    const order = { spiffeId, entry: { ...entry, downstream: true } };
    await assert.rejects(
      world.ca.signDownstreamCa(call, { ...order, csrDer: spoiltSignature(csrDer) }),
      refusedWith(Status.INVALID_ARGUMENT, "csr_signature"),
    );
    await assert.rejects(
      world.ca.signDownstreamCa(call, { ...order, csrDer: Buffer.from("hello") }),
      (err) => err instanceof StatusError && err.reason === "csr_malformed",
    );
  });
});
