import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { create } from "@bufbuild/protobuf";
import {
  type EntryWithMetadata,
  EntryWithMetadataSchema,
  ListEntriesResponseSchema,
} from "../../proto/gen/assay/admin/v1/admin_pb.ts";
import { Status, StatusError } from "../../runtime/errors/status-error.ts";
import { type AdminCalls, adminEntryApi } from "./entry-api.ts";

const never = new AbortController().signal;

function entry(id: number): EntryWithMetadata {
  const trustDomain = "example.test";
  return create(EntryWithMetadataSchema, {
    entry: {
      id: String(id),
      spiffeId: { trustDomain, path: `/${id}` },
      parentId: { trustDomain, path: "/node" },
    },
  });
}

/** A server that has so many entries, and whose answers may hold at most `fit` of them. */
function serverOf(count: number, fit: number) {
  const asked: number[] = [];
  const admin: Pick<AdminCalls, "listEntries"> = {
    listEntries: async ({ pageSize = 0, pageToken = "" }) => {
      asked.push(pageSize);
      const start = Number(pageToken);
      const entries = Array.from({ length: Math.min(pageSize, count - start) }, (_, i) =>
        entry(start + i),
      );
      if (entries.length > fit) {
        throw new StatusError(Status.RESOURCE_EXHAUSTED, "Received message larger than max");
      }
      const end = start + entries.length;
      const nextPageToken = end < count ? String(end) : "";
      return create(ListEntriesResponseSchema, { entries, nextPageToken });
    },
  };
  const list = async (): Promise<readonly string[]> => {
    const pages = adminEntryApi(admin as AdminCalls, "east").listOwn(never);
    return (await Array.fromAsync(pages)).flat().map(({ id }) => id);
  };
  return { asked, list };
}

describe("adminEntryApi", () => {
  it("asks for smaller pages when one is too large, and goes on with these", async () => {
    const { asked, list } = serverOf(600, 300);
    const ids = await list();
    assert.deepEqual(
      ids,
      Array.from({ length: 600 }, (_, i) => String(i)),
    );
    assert.deepEqual(asked, [1_000, 500, 250, 250, 250]);
  });

  it("gives up where a single entry is too large", async () => {
    await assert.rejects(serverOf(1, 0).list(), { code: Status.RESOURCE_EXHAUSTED });
  });
});
