import { create } from "@bufbuild/protobuf";
import type { TrustDomain } from "../../spiffe/id/trust-domain.ts";
import {
  type FederatesWithMatch,
  FederatesWithMatch_MatchBehavior,
} from "../gen/spire/api/types/federateswith_pb.ts";
import {
  type SelectorMatch,
  SelectorMatch_MatchBehavior,
  type Selector as WireSelector,
  SelectorSchema as WireSelectorSchema,
} from "../gen/spire/api/types/selector_pb.ts";
import { type Selector, type SetMatch, sortSelectors } from "../selector.ts";
import { checkCount, decodeText, fieldError } from "./field.ts";
import { decodeTrustDomains } from "./id.ts";

/** Most selectors in one list that a caller may send. */
export const MAX_SELECTORS = 256;
const MAX_TYPE_BYTES = 64;
const MAX_VALUE_BYTES = 4096;

/**
 * Reads one selector.
 *
 * @throws {StatusError} INVALID_ARGUMENT when type or value is empty or too long, or the type holds a colon
 */
function decodeSelector(field: string, message: WireSelector): Selector {
  const { type, value } = message;
  decodeText(`${field}.type`, type, { maxBytes: MAX_TYPE_BYTES, required: true });
  if (type.includes(":")) throw fieldError(`${field}.type`, "must not contain a colon");
  decodeText(`${field}.value`, value, { maxBytes: MAX_VALUE_BYTES, required: true });
  return { type, value };
}

/**
 * Reads a set of selectors: sorted, each once.
 *
 * @throws {StatusError} INVALID_ARGUMENT
 */
export function decodeSelectors(
  field: string,
  messages: readonly WireSelector[],
): readonly Selector[] {
  checkCount(field, messages, MAX_SELECTORS);
  return sortSelectors(messages.map((one, index) => decodeSelector(`${field}[${index}]`, one)));
}

/** Writes a selector. */
export function encodeSelector(selector: Selector): WireSelector {
  return create(WireSelectorSchema, { type: selector.type, value: selector.value });
}

/** A filter on a set of selectors. */
export interface SelectorFilter {
  readonly match: SetMatch;
  /** Sorted, each once, never empty. */
  readonly selectors: readonly Selector[];
}

/**
 * Reads a filter on selectors.
 *
 * @throws {StatusError} INVALID_ARGUMENT when it names no selector or an unknown comparison
 */
export function decodeSelectorFilter(field: string, message: SelectorMatch): SelectorFilter {
  const selectors = decodeSelectors(`${field}.selectors`, message.selectors);
  if (selectors.length === 0) throw fieldError(`${field}.selectors`, "must not be empty");
  return { match: decodeSetMatch(`${field}.match`, SELECTOR_MATCHES, message.match), selectors };
}

/** A filter on the trust domains that an entry federates with. */
export interface FederatesWithFilter {
  readonly match: SetMatch;
  /** Sorted by name, each once, never empty. */
  readonly trustDomains: readonly TrustDomain[];
}

/**
 * Reads a filter on trust domains.
 *
 * @throws {StatusError} INVALID_ARGUMENT when it names no trust domain or an unknown comparison
 */
export function decodeFederatesWithFilter(
  field: string,
  message: FederatesWithMatch,
): FederatesWithFilter {
  const trustDomains = decodeTrustDomains(`${field}.trust_domains`, message.trustDomains);
  if (trustDomains.length === 0) throw fieldError(`${field}.trust_domains`, "must not be empty");
  return {
    match: decodeSetMatch(`${field}.match`, FEDERATES_WITH_MATCHES, message.match),
    trustDomains,
  };
}

const SELECTOR_MATCHES: ReadonlyMap<SelectorMatch_MatchBehavior, SetMatch> = new Map([
  [SelectorMatch_MatchBehavior.MATCH_EXACT, "exact"],
  [SelectorMatch_MatchBehavior.MATCH_SUBSET, "subset"],
  [SelectorMatch_MatchBehavior.MATCH_SUPERSET, "superset"],
  [SelectorMatch_MatchBehavior.MATCH_ANY, "any"],
]);

const FEDERATES_WITH_MATCHES: ReadonlyMap<FederatesWithMatch_MatchBehavior, SetMatch> = new Map([
  [FederatesWithMatch_MatchBehavior.MATCH_EXACT, "exact"],
  [FederatesWithMatch_MatchBehavior.MATCH_SUBSET, "subset"],
  [FederatesWithMatch_MatchBehavior.MATCH_SUPERSET, "superset"],
  [FederatesWithMatch_MatchBehavior.MATCH_ANY, "any"],
]);

// Proto3 enums are open: a number that is not in the table arrives as it was sent.
function decodeSetMatch<E>(field: string, table: ReadonlyMap<E, SetMatch>, value: E): SetMatch {
  const match = table.get(value);
  if (match === undefined) throw fieldError(field, "is not a known comparison");
  return match;
}
