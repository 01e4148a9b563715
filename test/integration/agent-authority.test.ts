// What an agent makes of an authority that is tainted and then revoked: it and its workloads move to the next one in time.

import assert from "node:assert/strict";
import { it } from "node:test";
import { SpiffeWorkloadAPI } from "../../proto/gen/spiffe/workload/workload_pb.ts";
import { Agent } from "../../proto/gen/spire/api/server/agent/v1/agent_pb.ts";
import { Entry } from "../../proto/gen/spire/api/server/entry/v1/entry_pb.ts";
import { LocalAuthority } from "../../proto/gen/spire/api/server/localauthority/v1/localauthority_pb.ts";
import { openChannel } from "../../runtime/rpc/channel.ts";
import { createClient } from "../../runtime/rpc/client.ts";
import { type Certificate, parseConcatenatedCertificates } from "../../spiffe/x509/certificate.ts";
import { eventually } from "../support/eventually.ts";
import { Machine, trustDomain } from "../support/machine.ts";

/** Asks once and leaves; returns the leaf's authority and those of the bundle, by key identifier. */
async function fetchOnce(machine: Machine) {
  const channel = openChannel({ target: `unix:${machine.local.layout.workloadSocket}` });
  try {
    const client = createClient(SpiffeWorkloadAPI, channel);
    const metadata = { "workload.spiffe.io": "true" };
    for await (const { svids } of client.fetchX509SVID({}, { ...machine.call, metadata })) {
      const [svid] = svids;
      assert.ok(svid);
      const [leaf] = parseConcatenatedCertificates(svid.x509Svid.slice());
      const bundle = parseConcatenatedCertificates(svid.bundle.slice());
      return {
        count: svids.length,
        signedBy: hex(leaf?.authorityKeyId),
        bundle: bundle.map(skiOf),
      };
    }
    throw new Error("the stream ended without an answer");
  } finally {
    channel.close();
  }
}

const hex = (bytes: Uint8Array | undefined): string => Buffer.from(bytes ?? []).toString("hex");
const skiOf = ({ subjectKeyId }: Certificate): string => hex(subjectKeyId);

it("moves itself and who only asks now and then to the next authority before the old one is revoked", async () => {
  await using machine = await Machine.start();
  const { server } = machine.local;
  const selectors = [{ type: "unix", value: `uid:${process.getuid?.()}` }];
  const parentId = { trustDomain, path: machine.local.agentPath };
  const entries = [{ spiffeId: { trustDomain, path: "/one" }, parentId, selectors }];
  await server.client(Entry).batchCreateEntry({ entries }, machine.call);
  const first = await eventually("an SVID", () => fetchOnce(machine).catch(() => undefined));
  const ownSerial = async (): Promise<string | undefined> =>
    (await server.client(Agent).getAgent({ id: parentId }, machine.call)).x509svidSerialNumber;
  const serial = await ownSerial();

  const authorities = server.client(LocalAuthority);
  const { active: old } = await authorities.getX509AuthorityState({}, machine.call);
  const authorityId = old?.authorityId ?? "";
  const { preparedAuthority } = await authorities.prepareX509Authority({}, machine.call);
  const next = { authorityId: preparedAuthority?.authorityId ?? "" };
  await authorities.activateX509Authority(next, machine.call);
  await authorities.taintX509Authority({ authorityId }, machine.call);
  await eventually("the agent to renew its own", async () =>
    (await ownSerial()) === serial ? undefined : true,
  );
  await authorities.revokeX509Authority({ authorityId }, machine.call);

  const last = await eventually("a bundle without the old authority", async () => {
    const answer = await fetchOnce(machine);
    assert.ok(answer.bundle.includes(answer.signedBy), "the SVID verifies with its own bundle");
    return answer.bundle.includes(first.signedBy) ? undefined : answer;
  });
  assert.notEqual(last.signedBy, first.signedBy);
  // Still connected: it hears of a new entry.
  const more = [{ spiffeId: { trustDomain, path: "/two" }, parentId, selectors }];
  await server.client(Entry).batchCreateEntry({ entries: more }, machine.call);
  await eventually("the new entry", async () =>
    (await fetchOnce(machine)).count === 2 ? true : undefined,
  );
});
