import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { describe, it } from "node:test";
import type { FileSpec } from "../../spiffe/files/file-spec.ts";
import { formatPem } from "../../spiffe/x509/pem.ts";
import { FakeClock } from "../../test/fakes/fake-clock.ts";
import { RecordingLog } from "../../test/fakes/recording-log.ts";
import { eventually } from "../../test/support/eventually.ts";
import { TempDir } from "../../test/support/temp-dir.ts";
import { secondsFromNow, TestAuthority, testNow } from "../../test/support/test-ca.ts";
import { findEarlierFiles } from "./earlier-files.ts";

const files: readonly FileSpec[] = [
  { type: "pem", name: "svid.pem", holds: ["chain"], mode: 0o644 },
  { type: "jwt", name: "token", audience: ["a"], mode: 0o600 },
];
const leaf = formatPem("CERTIFICATE", TestAuthority.root().leaf().der);

/** When the files that were found end; "none" if there was nothing to go on with. */
async function find(
  contents: Readonly<Record<string, string>>,
  more: { readonly now?: Date; readonly isWritten?: boolean } = {},
): Promise<Date | "none"> {
  await using dir = await TempDir.open();
  for (const [name, text] of Object.entries(contents)) await writeFile(dir.join(name), text);
  const clock = new FakeClock(more.now ?? testNow);
  let found: Date | "none" = "none";
  let isOver = false;
  const running = findEarlierFiles(
    {
      directory: dir.path,
      files,
      isWritten: () => more.isWritten ?? false,
      onFound: (notAfter) => {
        found = notAfter;
      },
      clock,
      log: new RecordingLog().log,
    },
    new AbortController().signal,
  ).then(() => {
    isOver = true;
  });
  await clock.advance(4_900);
  assert.equal(isOver, false);
  await clock.advance(200);
  await eventually("the answer", () => isOver || undefined);
  await running;
  return found;
}

describe("findEarlierFiles", () => {
  it("takes files that are all there and still good", async () => {
    assert.deepEqual(await find({ "svid.pem": leaf, token: "t" }), secondsFromNow(3600));
  });

  it("takes none that are missing, broken or at their end, and none when new ones have come", async () => {
    assert.equal(await find({ "svid.pem": leaf }), "none");
    assert.equal(await find({ "svid.pem": "nonsense", token: "t" }), "none");
    assert.equal(await find({ "svid.pem": "", token: "t" }), "none");
    const all = { "svid.pem": leaf, token: "t" };
    assert.equal(await find(all, { now: secondsFromNow(3600) }), "none");
    assert.equal(await find(all, { isWritten: true }), "none");
  });
});
