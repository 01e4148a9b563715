import { decodeSpiffeId } from "../../proto/convert/id.ts";
import { decodeFederatesWithFilter, decodeSelectorFilter } from "../../proto/convert/selector.ts";
import type {
  CountEntriesRequest_Filter,
  ListEntriesRequest_Filter,
} from "../../proto/gen/spire/api/server/entry/v1/entry_pb.ts";
import type { FederatesWithMatch } from "../../proto/gen/spire/api/types/federateswith_pb.ts";
import type { ListEntriesFilter } from "../store/contract/entries.ts";

/** Reads the filter of a list or count of entries. @throws {StatusError} INVALID_ARGUMENT */
export function decodeEntriesFilter(
  filter: ListEntriesRequest_Filter | CountEntriesRequest_Filter | undefined,
): ListEntriesFilter {
  if (filter === undefined) return {};
  const { bySpiffeId, byParentId, bySelectors, byFederatesWith, byHint, byDownstream } = filter;
  return {
    ...(bySpiffeId && {
      bySpiffeId: decodeSpiffeId("filter.by_spiffe_id", bySpiffeId).toString(),
    }),
    ...(byParentId && {
      byParentId: decodeSpiffeId("filter.by_parent_id", byParentId).toString(),
    }),
    ...(bySelectors && {
      bySelectors: decodeSelectorFilter("filter.by_selectors", bySelectors),
    }),
    ...(byFederatesWith && { byFederatesWith: decodeFederatesWith(byFederatesWith) }),
    ...(byHint !== undefined && { byHint }),
    ...(byDownstream !== undefined && { byDownstream }),
  };
}

function decodeFederatesWith(
  message: FederatesWithMatch,
): NonNullable<ListEntriesFilter["byFederatesWith"]> {
  const { match, trustDomains } = decodeFederatesWithFilter("filter.by_federates_with", message);
  return { match, trustDomains: trustDomains.map(({ name }) => name) };
}
