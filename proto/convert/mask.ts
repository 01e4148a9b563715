import { create, type Message } from "@bufbuild/protobuf";
import type { GenMessage } from "@bufbuild/protobuf/codegenv2";
import { type Agent, type AgentMask, AgentSchema } from "../gen/spire/api/types/agent_pb.ts";
import { type Bundle, type BundleMask, BundleSchema } from "../gen/spire/api/types/bundle_pb.ts";
import { type Entry, type EntryMask, EntrySchema } from "../gen/spire/api/types/entry_pb.ts";
import {
  type FederationRelationship,
  type FederationRelationshipMask,
  FederationRelationshipSchema,
} from "../gen/spire/api/types/federationrelationship_pb.ts";

/** Leaves of a message what its reader asked for. Without a mask it is the message itself. */
export type Projection<M> = (message: M) => M;

/** The projection for an output mask on entries; `id` always stays. */
export function projectEntry(mask: EntryMask | undefined): Projection<Entry> {
  return projection(EntrySchema, mask, "id");
}

/** The projection for an output mask on agents; `id` always stays. */
export function projectAgent(mask: AgentMask | undefined): Projection<Agent> {
  return projection(AgentSchema, mask, "id");
}

/** The projection for an output mask on bundles; `trust_domain` always stays. */
export function projectBundle(mask: BundleMask | undefined): Projection<Bundle> {
  return projection(BundleSchema, mask, "trustDomain");
}

/** The projection for an output mask on federation relationships; `trust_domain` always stays. */
export function projectFederationRelationship(
  mask: FederationRelationshipMask | undefined,
): Projection<FederationRelationship> {
  return projection(FederationRelationshipSchema, mask, "trustDomain");
}

type FieldName<M> = Exclude<keyof M, keyof Message> & string;

/** A mask has booleans under the names of its message's fields; a oneof counts as one field. */
type MaskFor<M> = { readonly [name in FieldName<M>]?: boolean };

function projection<M extends Message>(
  schema: GenMessage<M>,
  mask: MaskFor<M> | undefined,
  identity: FieldName<M>,
): Projection<M> {
  if (mask === undefined) return (message) => message;
  // The members of a message's descriptor are the fields of its type; only the generator knows both.
  const names = schema.members.map((member) => member.localName) as FieldName<M>[];
  const kept = names.filter((name) => name === identity || mask[name] === true);
  return (message) => {
    const projected: M = create(schema);
    for (const name of kept) {
      if (message[name] !== undefined) projected[name] = message[name];
    }
    return projected;
  };
}
