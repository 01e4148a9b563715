import { fromBinary } from "@bufbuild/protobuf";
import { decodeSelectors } from "../../../proto/convert/selector.ts";
import {
  type WorkloadReference as WireReference,
  WorkloadPIDReferenceSchema,
} from "../../../proto/gen/spiffe/broker/api_pb.ts";
import type { Selector as WireSelector } from "../../../proto/gen/spire/api/types/selector_pb.ts";
import type { Selector } from "../../../proto/selector.ts";
import { invalidArgument } from "../../../runtime/errors/status-error.ts";
import { referenceInvalid } from "./broker-errors.ts";

/** How a delegate or broker says whom it acts for. */
export type WorkloadReference =
  | { readonly kind: "process"; readonly pid: number }
  | { readonly kind: "selectors"; readonly selectors: readonly Selector[] };

/**
 * Reads a reference of the Delegated Identity API: selectors or a PID, never both.
 *
 * @throws {StatusError} INVALID_ARGUMENT
 */
export function readDelegatedReference(request: {
  readonly selectors: readonly WireSelector[];
  readonly pid: number;
}): WorkloadReference {
  const { pid } = request;
  const selectors = decodeSelectors("selectors", request.selectors);
  if (pid < 0) throw invalidReference("pid must be positive");
  if (pid > 0 && selectors.length > 0)
    throw invalidReference("selectors and pid exclude each other");
  if (pid > 0) return { kind: "process", pid };
  if (selectors.length === 0) throw invalidReference("selectors or pid must be specified");
  return { kind: "selectors", selectors };
}

const PID_REFERENCE_TYPE = `type.googleapis.com/${WorkloadPIDReferenceSchema.typeName}`;

/**
 * Reads a reference of the Broker API. Processes of this node are all that can be referenced here.
 *
 * @throws {StatusError} INVALID_ARGUMENT, WORKLOAD_REFERENCE_INVALID (Broker API 4.8)
 */
export function readBrokerReference(message: WireReference | undefined): WorkloadReference {
  const { typeUrl = "", value = new Uint8Array() } = message?.reference ?? {};
  if (typeUrl === "") throw referenceInvalid("reference must be specified");
  if (typeUrl !== PID_REFERENCE_TYPE) {
    throw referenceInvalid(
      `references other than ${WorkloadPIDReferenceSchema.typeName} are not offered here`,
    );
  }
  const pid = pidOf(value);
  if (pid <= 0) throw referenceInvalid("pid must be positive");
  return { kind: "process", pid };
}

function pidOf(bytes: Uint8Array): number {
  try {
    return fromBinary(WorkloadPIDReferenceSchema, bytes).pid;
  } catch (cause) {
    throw referenceInvalid("reference cannot be read", cause);
  }
}

function invalidReference(message: string) {
  return invalidArgument(message, { reason: "reference_invalid" });
}
