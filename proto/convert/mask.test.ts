import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { create, type DescMessage } from "@bufbuild/protobuf";
import { AgentMaskSchema, AgentSchema } from "../gen/spire/api/types/agent_pb.ts";
import { BundleMaskSchema, BundleSchema } from "../gen/spire/api/types/bundle_pb.ts";
import { EntryMaskSchema, EntrySchema } from "../gen/spire/api/types/entry_pb.ts";
import {
  FederationRelationshipMaskSchema,
  FederationRelationshipSchema,
} from "../gen/spire/api/types/federationrelationship_pb.ts";
import {
  projectAgent,
  projectBundle,
  projectEntry,
  projectFederationRelationship,
} from "./mask.ts";

describe("masks", () => {
  const pairs: readonly (readonly [DescMessage, DescMessage, string])[] = [
    [AgentSchema, AgentMaskSchema, "id"],
    [BundleSchema, BundleMaskSchema, "trust_domain"],
    [EntrySchema, EntryMaskSchema, "id"],
    [FederationRelationshipSchema, FederationRelationshipMaskSchema, "trust_domain"],
  ];
  for (const [schema, mask, identity] of pairs) {
    it(`${mask.name} names every member of ${schema.name} but its identity`, () => {
      const members = schema.members.map(({ name }) => name).filter((name) => name !== identity);
      assert.deepEqual(mask.fields.map(({ name }) => name).sort(), members.sort());
    });
  }
});

describe("projectEntry", () => {
  const entry = create(EntrySchema, {
    id: "e1",
    spiffeId: { trustDomain: "example.test", path: "/web" },
    x509SvidTtl: 60,
    selectors: [{ type: "unix", value: "uid:1" }],
    additionalAttributes: { jwtSvidIncludeJti: true },
  });

  it("is the entry itself without a mask", () => {
    assert.equal(projectEntry(undefined)(entry), entry);
  });

  it("leaves the ID under an empty mask", () => {
    assert.deepEqual(
      projectEntry(create(EntryMaskSchema))(entry),
      create(EntrySchema, { id: "e1" }),
    );
  });

  it("leaves what the mask names, and does not touch its source", () => {
    const mask = create(EntryMaskSchema, { selectors: true, additionalAttributes: true });
    assert.deepEqual(
      projectEntry(mask)(entry),
      create(EntrySchema, {
        id: "e1",
        selectors: [{ type: "unix", value: "uid:1" }],
        additionalAttributes: { jwtSvidIncludeJti: true },
      }),
    );
    assert.equal(entry.x509SvidTtl, 60);
  });

  it("keeps an absent message absent", () => {
    const mask = create(EntryMaskSchema, { spiffeId: true });
    const bare = create(EntrySchema, { id: "e2" });
    assert.deepEqual(projectEntry(mask)(bare), bare);
  });
});

describe("the other projections", () => {
  it("keep an agent's ID", () => {
    const agent = create(AgentSchema, { id: { path: "/a" }, banned: true, agentVersion: "1" });
    assert.deepEqual(
      projectAgent(create(AgentMaskSchema, { banned: true }))(agent),
      create(AgentSchema, { id: { path: "/a" }, banned: true }),
    );
  });

  it("keep a bundle's trust domain", () => {
    const bundle = create(BundleSchema, { trustDomain: "a.test", sequenceNumber: 2n ** 64n - 1n });
    assert.deepEqual(
      projectBundle(create(BundleMaskSchema, { sequenceNumber: true }))(bundle),
      bundle,
    );
    assert.deepEqual(
      projectBundle(create(BundleMaskSchema))(bundle),
      create(BundleSchema, { trustDomain: "a.test" }),
    );
  });

  it("treat the profile of a federation relationship as one field", () => {
    const relationship = create(FederationRelationshipSchema, {
      trustDomain: "a.test",
      bundleEndpointUrl: "https://a.test",
      bundleEndpointProfile: { case: "httpsWeb", value: {} },
    });
    const mask = create(FederationRelationshipMaskSchema, { bundleEndpointProfile: true });
    assert.deepEqual(
      projectFederationRelationship(mask)(relationship),
      create(FederationRelationshipSchema, {
        trustDomain: "a.test",
        bundleEndpointProfile: { case: "httpsWeb", value: {} },
      }),
    );
  });
});
