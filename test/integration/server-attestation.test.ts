// How agents get their first SVID, over real sockets and TLS.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { agentDenialReason } from "../../proto/convert/status.ts";
import { Admin } from "../../proto/gen/assay/admin/v1/admin_pb.ts";
import { Agent } from "../../proto/gen/spire/api/server/agent/v1/agent_pb.ts";
import { Bundle } from "../../proto/gen/spire/api/server/bundle/v1/bundle_pb.ts";
import { Entry } from "../../proto/gen/spire/api/server/entry/v1/entry_pb.ts";
import { PermissionDeniedDetails_Reason as Reason } from "../../proto/gen/spire/api/types/status_pb.ts";
import { Status, StatusError } from "../../runtime/errors/status-error.ts";
import { SpiffeId } from "../../spiffe/id/spiffe-id.ts";
import { Certificate } from "../../spiffe/x509/certificate.ts";
import { CALL, csrOf, newKey, RunningServer, TRUST_DOMAIN } from "../support/running-server.ts";

const UNKNOWN_TOKEN = {
  code: Status.INVALID_ARGUMENT,
  message: "failed to attest: join token does not exist or has already been used",
};
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const wireId = (id: string) => {
  const { trustDomain, path } = SpiffeId.parse(id);
  return { trustDomain: trustDomain.name, path };
};

describe("a server that attests by join token", () => {
  it("issues an SVID under the token's ID, signed by the bundle's authority", async () => {
    await using server = await RunningServer.open();
    const { id, token, identity } = await server.joinAgent();
    assert.equal(id, `spiffe://${TRUST_DOMAIN}/spire/agent/join_token/${token}`);
    const leaf = Certificate.parse(identity.chainDer[0] ?? new Uint8Array());
    assert.equal(leaf.spiffeId.toString(), id);
    using anonymous = server.connect();
    const bundle = await anonymous.client(Bundle).getBundle({}, CALL);
    const authority = Certificate.parse(bundle.x509Authorities[0]?.asn1 ?? new Uint8Array());
    assert.equal(leaf.isSignedBy(authority.publicKey), true);
  });

  it("repeats the answer for the same key, because an answer may be lost", async () => {
    await using server = await RunningServer.open();
    const { token, identity } = await server.joinAgent();
    const again = await server.attest("join_token", bytes(token), csrOf(identity.privateKey));
    assert.notDeepEqual(again.chainDer, identity.chainDer);
    // The answer that was lost is good for nothing now.
    using first = server.connect(identity);
    await assert.rejects(first.client(Agent).postStatus({}, CALL), (err) => {
      assert.ok(err instanceof StatusError);
      assert.equal(agentDenialReason(err), Reason.AGENT_NOT_ACTIVE);
      return true;
    });
    using second = server.connect({ ...identity, chainDer: again.chainDer });
    await second.client(Agent).postStatus({ agentVersion: "1" }, CALL);
  });

  it("gives a second key nothing, nor anybody once the SVID was used", async () => {
    await using server = await RunningServer.open();
    const { token, identity } = await server.joinAgent();
    await assert.rejects(server.attest("join_token", bytes(token), csrOf(newKey())), UNKNOWN_TOKEN);
    using agent = server.connect(identity);
    await agent.client(Agent).postStatus({}, CALL);
    await assert.rejects(
      server.attest("join_token", bytes(token), csrOf(identity.privateKey)),
      UNKNOWN_TOKEN,
    );
  });

  it("refuses tokens that it does not know, that have expired, or that are none", async () => {
    await using server = await RunningServer.open();
    await assert.rejects(
      server.attest("join_token", bytes("11111111-1111-4111-8111-111111111111"), csrOf(newKey())),
      UNKNOWN_TOKEN,
    );
    await assert.rejects(server.attest("join_token", bytes("../admin"), csrOf(newKey())), {
      code: Status.INVALID_ARGUMENT,
      message: 'token: expected 1 to 255 letters, digits, ".", "-" or "_"',
    });
    using admin = server.admin();
    const token = await admin.client(Agent).createJoinToken({ ttl: 60 }, CALL);
    server.clock.shift(61_000);
    await assert.rejects(server.attest("join_token", bytes(token.value), csrOf(newKey())), {
      code: Status.INVALID_ARGUMENT,
      message: "join token expired",
    });
  });

  it("burns nothing when the request cannot be signed", async () => {
    await using server = await RunningServer.open();
    using admin = server.admin();
    const token = await admin.client(Agent).createJoinToken({ ttl: 60 }, CALL);
    const key = newKey();
    const broken = Uint8Array.from(csrOf(key));
    broken[broken.length - 1] = (broken.at(-1) ?? 0) ^ 0xff;
    await assert.rejects(server.attest("join_token", bytes(token.value), broken), {
      code: Status.INVALID_ARGUMENT,
    });
    await server.attest("join_token", bytes(token.value), csrOf(key));
  });

  it("gives the node a second name if the token has one", async () => {
    await using server = await RunningServer.open();
    using admin = server.admin();
    const alias = `spiffe://${TRUST_DOMAIN}/node/one`;
    const request = { ttl: 60, agentId: wireId(alias) };
    const token = await admin.client(Agent).createJoinToken(request, CALL);
    await server.createEntries(alias, "/below-alias");
    const key = newKey();
    const { id, chainDer } = await server.attest("join_token", bytes(token.value), csrOf(key));
    using agent = server.connect({ chainDer, privateKey: key });
    const seen = async (): Promise<readonly (string | undefined)[]> => {
      const { entries } = await agent.client(Entry).getAuthorizedEntries({}, CALL);
      return entries.map(({ spiffeId }) => spiffeId?.path).sort();
    };
    assert.deepEqual(await seen(), ["/below-alias", "/node/one"]);
    // The name goes with the node.
    await admin.client(Agent).deleteAgent({ id: wireId(id) }, CALL);
    const { entries } = await admin.client(Entry).listEntries({}, CALL);
    assert.deepEqual(
      entries.map(({ spiffeId }) => spiffeId?.path),
      ["/below-alias"],
    );
  });
});

describe("a server that attests", () => {
  it("names an attestor that it does not offer", async () => {
    await using server = await RunningServer.open();
    await assert.rejects(server.attest("tpm_devid", new Uint8Array(1), csrOf(newKey())), {
      code: Status.FAILED_PRECONDITION,
      message: 'node attestor "tpm_devid" is not offered',
    });
  });

  it("records every attempt, with its reason and without secrets", async () => {
    await using server = await RunningServer.open();
    const { id, token } = await server.joinAgent();
    await assert.rejects(server.attest("join_token", bytes(token), csrOf(newKey())));
    using admin = server.admin();
    const records = await auditOf(admin, "agent.attest");
    assert.deepEqual(
      records.map(({ decision, reasonCode, subject }) => [decision, reasonCode, subject?.id]),
      [
        ["allow", null, id],
        ["deny", "join_token_unknown", undefined],
      ],
    );
    const made = (await auditOf(admin, "join_token.create")).map((record) =>
      JSON.stringify(record),
    );
    assert.equal(
      made.some((line) => line.includes(token)),
      false,
    );
  });

  it("turns away a banned agent, and takes back an evicted one", async () => {
    await using server = await RunningServer.open();
    using admin = server.admin();
    const { id, token, identity } = await server.joinAgent();
    await admin.client(Agent).banAgent({ id: wireId(id) }, CALL);
    const again = () => server.attest("join_token", bytes(token), csrOf(identity.privateKey));
    await assert.rejects(again(), (err) => {
      assert.ok(err instanceof StatusError);
      assert.equal(err.message, "failed to attest: agent is banned");
      assert.equal(agentDenialReason(err), Reason.AGENT_BANNED);
      return true;
    });
    await admin.client(Agent).deleteAgent({ id: wireId(id) }, CALL);
    assert.equal((await again()).id, id);
  });

  it("refuses what is no attestation", async () => {
    await using server = await RunningServer.open();
    using anonymous = server.connect();
    const client = anonymous.client(Agent);
    async function* silent() {}
    async function* answerFirst() {
      yield { step: { case: "challengeResponse" as const, value: new Uint8Array(1) } };
    }
    async function* empty() {
      yield { step: { case: "params" as const, value: {} } };
    }
    const attempt = async (steps: Parameters<typeof client.attestAgent>[0]) => {
      for await (const _ of client.attestAgent(steps, CALL));
    };
    const refused = (message: string) => ({ code: Status.INVALID_ARGUMENT, message });
    await assert.rejects(attempt(silent()), refused("the agent ended its attestation early"));
    await assert.rejects(attempt(answerFirst()), refused("the first message must have params"));
    await assert.rejects(attempt(empty()), refused("params.data: is required"));
  });
});

async function auditOf(admin: ReturnType<RunningServer["admin"]>, action: string) {
  const records: {
    decision: string;
    reasonCode: string | null;
    subject: { id: string } | null;
  }[] = [];
  for await (const { line } of admin.client(Admin).listAudit({ action }, CALL)) {
    records.push(JSON.parse(Buffer.from(line).toString("utf8")));
  }
  return records;
}
