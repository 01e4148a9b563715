/**
 * The text forms that people type and read, to and from the wire: SPIFFE IDs, selectors, times.
 */
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { Selector, SelectorSchema } from "../../proto/gen/spire/api/types/selector_pb.ts";
import type { SPIFFEID, SPIFFEIDSchema } from "../../proto/gen/spire/api/types/spiffeid_pb.ts";
import { parseSelector, selectorKey } from "../../proto/selector.ts";
import { usageError } from "../../runtime/cli/exit-code.ts";
import { parseDuration } from "../../runtime/config/duration.ts";
import { SpiffeId } from "../../spiffe/id/spiffe-id.ts";

export function idText(id: SPIFFEID | undefined): string {
  return id ? `spiffe://${id.trustDomain}${id.path}` : "";
}

/** @throws {CliError} naming the option */
export function parseIdOption(
  option: string,
  text: string,
): MessageInitShape<typeof SPIFFEIDSchema> {
  try {
    const id = SpiffeId.parse(text);
    return { trustDomain: id.trustDomain.name, path: id.path };
  } catch (err) {
    throw usageError(
      `${option}: ${err instanceof Error ? err.message : String(err)}`,
      "a SPIFFE ID looks like spiffe://example.org/billing/api",
    );
  }
}

export function selectorText(selector: Selector): string {
  return selectorKey(selector);
}

/** @throws {CliError} naming the option */
export function parseSelectorOption(
  option: string,
  text: string,
): MessageInitShape<typeof SelectorSchema> {
  const selector = parseSelector(text);
  if (!selector) {
    throw usageError(
      `${option}: expected type:value, got ${JSON.stringify(text)}`,
      "for example unix:uid:1000",
    );
  }
  return selector;
}

/** Unix seconds to a time; zero is no time. */
export function timeOf(seconds: bigint): Date | undefined {
  return seconds === 0n ? undefined : new Date(Number(seconds) * 1000);
}

/** Reads a duration option such as "90s" or "30d" as milliseconds. @throws {CliError} */
export function parseDurationOption(option: string, text: string): number {
  const ms = parseDuration(text);
  if (ms !== undefined) return ms;
  throw usageError(
    `${option}: expected a duration, got ${JSON.stringify(text)}`,
    "for example 90s, 1h30m or 30d",
  );
}

/** Reads a duration option as whole seconds. @throws {CliError} */
export function parseSecondsOption(option: string, text: string): number {
  const ms = parseDurationOption(option, text);
  if (ms < 1000) throw usageError(`${option}: expected at least 1s, got ${JSON.stringify(text)}`);
  return Math.floor(ms / 1000);
}

/** Reads a time option, RFC 3339. @throws {CliError} */
export function parseTimeOption(option: string, text: string): Date {
  const time = new Date(text);
  if (Number.isNaN(time.getTime()) || !/^\d{4}-\d\d-\d\d/.test(text)) {
    throw usageError(
      `${option}: expected a time, got ${JSON.stringify(text)}`,
      "for example 2027-01-31 or 2027-01-31T12:00:00Z",
    );
  }
  return time;
}
