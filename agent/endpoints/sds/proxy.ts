import type { JsonValue } from "@bufbuild/protobuf";
import type { Node } from "../../../proto/gen/envoy/config/core/v3/base_pb.ts";

/** What a proxy can do with what it is sent. It says so itself, which is no matter: it decides nothing about what it may have. */
export interface SdsProxy {
  /** Its own name for itself, for logs. */
  readonly id: string;
  /** Whether it takes bundles in the form of Envoy's SPIFFE validator. */
  readonly hasSpiffeValidator: boolean;
  /** Whether its operator has said that nothing is merged with what we send, so that SAN matchers of ours narrow and never widen. */
  readonly keepsLimits: boolean;
}

/** The key in a node's metadata by which an operator does without the SPIFFE validator; the one that SPIRE reads. */
const DISABLE_VALIDATOR = "disable_spiffe_cert_validation";
/** The key by which an operator asks for the bundles of limited relationships; its one value is "san_matchers". */
const LIMITS = "federation_limits";

const idCharacters = 128;

/** Reads a proxy from the node in its request. The validator is there from Envoy 1.18 on; who names no version gets none. */
export function readProxy(node: Node | undefined, disableSpiffeValidator: boolean): SdsProxy {
  const metadata = node?.metadata ?? {};
  const isDisabled = disableSpiffeValidator || isTrue(metadata[DISABLE_VALIDATOR]);
  return {
    id: (node?.id ?? "").slice(0, idCharacters),
    hasSpiffeValidator: !isDisabled && isAtLeast(node, 1, 18),
    keepsLimits: metadata[LIMITS] === "san_matchers",
  };
}

function isTrue(value: JsonValue | undefined): boolean {
  return value === true || value === "true";
}

function isAtLeast(node: Node | undefined, major: number, minor: number): boolean {
  const given = node?.userAgentVersionType;
  const version = given?.case === "userAgentBuildVersion" ? given.value.version : undefined;
  if (version === undefined) return false;
  const { majorNumber, minorNumber } = version;
  return majorNumber > major || (majorNumber === major && minorNumber >= minor);
}
