import { decodeSelectorFilter } from "../../proto/convert/selector.ts";
import type {
  CountAgentsRequest_Filter,
  ListAgentsRequest_Filter,
} from "../../proto/gen/spire/api/server/agent/v1/agent_pb.ts";
import { invalidArgument } from "../../runtime/errors/status-error.ts";
import type { ListNodesFilter } from "../store/contract/nodes.ts";

/**
 * Reads a filter on agents.
 *
 * @throws {StatusError} INVALID_ARGUMENT
 */
export function decodeAgentFilter(
  filter: ListAgentsRequest_Filter | CountAgentsRequest_Filter | undefined,
): ListNodesFilter {
  if (filter === undefined) return {};
  const { byAttestationType, bySelectorMatch, byBanned, byCanReattest, byExpiresBefore } = filter;
  return {
    ...(byAttestationType === "" ? {} : { byAttestationType }),
    ...(bySelectorMatch === undefined
      ? {}
      : { bySelectors: decodeSelectorFilter("filter.by_selector_match", bySelectorMatch) }),
    ...(byBanned === undefined ? {} : { byBanned }),
    ...(byCanReattest === undefined ? {} : { byCanReattest }),
    ...(byExpiresBefore === ""
      ? {}
      : { byExpiresBefore: decodeInstant("filter.by_expires_before", byExpiresBefore) }),
  };
}

const RFC_3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)$/;
// Stock clients write the zone twice, the second time by its name.
const SPACED = /^(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d)(?:\.\d+)? ([+-]\d\d)(\d\d) \S{1,10}$/;

function decodeInstant(field: string, text: string): number {
  const [, date, time, hours, minutes] = SPACED.exec(text) ?? [];
  const rfc3339 = date === undefined ? text : `${date}T${time}${hours}:${minutes}`;
  const ms = RFC_3339.test(rfc3339) ? Date.parse(rfc3339) : Number.NaN;
  if (Number.isNaN(ms)) {
    throw invalidArgument(`${field}: expected a time such as "2026-01-31T15:04:05Z"`, {
      reason: "field_invalid",
    });
  }
  return Math.floor(ms / 1000);
}
