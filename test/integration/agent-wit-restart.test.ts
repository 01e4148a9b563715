// WIT-SVIDs of an agent that restarts while its server is away.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { describe, it } from "node:test";
import { fromBinary } from "@bufbuild/protobuf";
import type { WitSvid } from "../../agent/cache/token-cache.ts";
import { AgentStateSchema } from "../../proto/gen/assay/agent/v1/state_pb.ts";
import { Agent } from "../../proto/gen/spire/api/server/agent/v1/agent_pb.ts";
import { Bundle } from "../../proto/gen/spire/api/server/bundle/v1/bundle_pb.ts";
import { Entry } from "../../proto/gen/spire/api/server/entry/v1/entry_pb.ts";
import { LocalAuthority } from "../../proto/gen/spire/api/server/localauthority/v1/localauthority_pb.ts";
import { formatPem } from "../../spiffe/x509/pem.ts";
import { eventually } from "../support/eventually.ts";
import { callerWith, RunningAgent, type RunningAgentOptions } from "../support/running-agent.ts";
import { CALL, RunningServer, TRUST_DOMAIN } from "../support/running-server.ts";
import { TempDir } from "../support/temp-dir.ts";

const USER = "uid:1000";
const { signal } = new AbortController();

async function settingsFor(server: RunningServer, dir: TempDir): Promise<RunningAgentOptions> {
  using admin = server.admin();
  const token = await admin.client(Agent).createJoinToken({ ttl: 600 }, CALL);
  const { x509Authorities } = await admin.client(Bundle).getBundle({}, CALL);
  return {
    servers: [server.address],
    bundlePem: x509Authorities.map(({ asn1 }) => formatPem("CERTIFICATE", asn1)).join(""),
    dir,
    trustDomain: TRUST_DOMAIN,
    token: token.value,
    yaml: "experimental: { witSvid: true }",
  };
}

const caller = callerWith(USER);

/** What the workload gets for the identity `/web`, as soon as there is one. */
function fetched({ agent: { views } }: RunningAgent): Promise<WitSvid> {
  return eventually("the WIT-SVID", () => {
    const [entry] = views.granted(caller);
    return entry && views.fetchWitSvid({ caller, entryId: entry.entryId, signal });
  });
}

async function storedTokens(dir: TempDir): Promise<readonly string[]> {
  const content = await readFile(dir.join("state"));
  return fromBinary(AgentStateSchema, content.subarray(52)).witSvids.map(({ token }) => token);
}

describe("WIT-SVIDs of an agent that restarts", () => {
  it("are the same with the server away, and those that went are gone", async () => {
    await using dir = await TempDir.open();
    let options: RunningAgentOptions;
    let held: WitSvid;
    {
      await using server = await RunningServer.open({ experimental: { witSvid: true } });
      options = await settingsFor(server, dir);
      await using agent = await RunningAgent.open(options);
      const parent = `spiffe://${TRUST_DOMAIN}/spire/agent/join_token/${options.token}`;
      await eventually("the agent", () => server.createEntries(parent, "/web"));
      const first = await fetched(agent);
      const [stored] = await eventually("the state file", async () => {
        const tokens = await storedTokens(dir);
        return tokens.length > 0 ? tokens : undefined;
      });
      assert.equal(stored, first.token);

      // A tainted authority's token is held no longer, in memory as in the file.
      using admin = server.admin();
      const authorities = admin.client(LocalAuthority);
      const { active } = await authorities.getWITAuthorityState({}, CALL);
      const { preparedAuthority } = await authorities.prepareWITAuthority({}, CALL);
      const { authorityId = "" } = preparedAuthority ?? {};
      await authorities.activateWITAuthority({ authorityId }, CALL);
      await authorities.taintWITAuthority({ authorityId: active?.authorityId ?? "" }, CALL);
      held = await eventually("a token of the new authority", async () => {
        const svid = await fetched(agent);
        return svid.keyId === authorityId ? svid : undefined;
      });
      await eventually("the state file", async () =>
        (await storedTokens(dir)).join() === held.token ? true : undefined,
      );

      // Neither is that of an entry that was deleted.
      await server.createEntries(parent, "/gone");
      const [other] = await eventually("another identity", () => {
        const granted = agent.agent.views
          .granted(caller)
          .filter((one) => one.spiffeId.endsWith("/gone"));
        return granted.length > 0 ? granted : undefined;
      });
      const entryId = other?.entryId ?? "";
      const gone = await agent.agent.views.fetchWitSvid({ caller, entryId, signal });
      await eventually("both in the state file", async () =>
        (await storedTokens(dir)).includes(gone.token) ? true : undefined,
      );
      await admin.client(Entry).batchDeleteEntry({ ids: [entryId] }, CALL);
      await eventually("one to go", async () =>
        (await storedTokens(dir)).includes(gone.token) ? undefined : true,
      );
    }
    await using again = await RunningAgent.open(options);
    const { token, privateJwk, spiffeId, hint, expiresAt, issuedAt, keyId } = await fetched(again);
    assert.deepEqual(
      { token, privateJwk, spiffeId, hint, expiresAt, issuedAt, keyId },
      {
        token: held.token,
        privateJwk: held.privateJwk,
        spiffeId: `spiffe://${TRUST_DOMAIN}/web`,
        hint: held.hint,
        expiresAt: held.expiresAt,
        issuedAt: held.issuedAt,
        keyId: held.keyId,
      },
    );
  });
});
