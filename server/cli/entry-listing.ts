/** Finds entries by the filters of a command. */
import { Admin, type EntryWithMetadata } from "../../proto/gen/assay/admin/v1/admin_pb.ts";
import { Entry as EntryService } from "../../proto/gen/spire/api/server/entry/v1/entry_pb.ts";
import type { Clock } from "../../runtime/time/clock.ts";
import { type FilterOptions, matchings } from "./entry-options.ts";
import type { ServerSession } from "./server-cli.ts";
import { parseDurationOption, parseIdOption, parseSelectorOption } from "./wire-text.ts";

const pageSize = 500;

/** Every entry that the filters leave, page by page. */
export async function* listEntries(
  session: ServerSession,
  options: FilterOptions,
  clock: Clock,
): AsyncGenerator<EntryWithMetadata> {
  let pageToken = "";
  do {
    const page = await session
      .client(Admin)
      .listEntries({ ...listRequest(options, clock), pageSize, pageToken }, session.call);
    yield* page.entries;
    pageToken = page.nextPageToken;
  } while (pageToken !== "");
}

/** How many entries the filters leave. */
export async function countEntries(
  session: ServerSession,
  options: FilterOptions,
  clock: Clock,
): Promise<number> {
  if (options.owner === undefined && !options.unowned && options.unused === undefined) {
    const { filter } = listRequest(options, clock);
    const { count } = await session.client(EntryService).countEntries({ filter }, session.call);
    return count;
  }
  let count = 0;
  for await (const _ of listEntries(session, options, clock)) count += 1;
  return count;
}

function listRequest(options: FilterOptions, clock: Clock) {
  const unusedMs =
    options.unused === undefined ? undefined : parseDurationOption("--unused", options.unused);
  return {
    owner: options.owner ?? "",
    unowned: options.unowned ?? false,
    unusedSince:
      unusedMs === undefined ? 0n : BigInt(Math.floor((clock.now().getTime() - unusedMs) / 1000)),
    filter: {
      ...(options.spiffeId && { bySpiffeId: parseIdOption("--spiffe-id", options.spiffeId) }),
      ...(options.parentId && { byParentId: parseIdOption("--parent-id", options.parentId) }),
      ...(options.selector && {
        bySelectors: {
          match: matchings[options.match],
          selectors: options.selector.map((text) => parseSelectorOption("--selector", text)),
        },
      }),
      ...(options.hint !== undefined && { byHint: options.hint }),
      ...(options.downstream && { byDownstream: true }),
    },
  };
}
