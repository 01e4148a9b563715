import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { unmodifiedFiles } from "./unmodified-files.ts";

const mapping = (head: string, anonymousKb: number): string =>
  `${head}\nSize:                 16 kB\nAnonymous:      ${String(anonymousKb).padStart(8)} kB\nVmFlags: rd ex mr\n`;

describe("unmodifiedFiles", () => {
  it("finds the mappings of files that nobody wrote to", () => {
    const smaps = [
      mapping("00400000-00500000 r--p 00000000 fe:00 1234                       /opt/node", 0),
      mapping("00500000-00700000 r-xp 00100000 fe:00 1234                       /opt/my node", 0),
    ].join("");
    assert.deepEqual(unmodifiedFiles(smaps), [
      { start: 0x400000n, bytes: 0x100000n },
      { start: 0x500000n, bytes: 0x200000n },
    ]);
  });

  it("leaves out whatever has contents of its own, or may get them", () => {
    const smaps = [
      mapping("00700000-00704000 r--p 00300000 fe:00 1234                       /opt/node", 16),
      mapping("00800000-00804000 rw-p 00300000 fe:00 1234                       /opt/node", 0),
      mapping("00900000-00904000 r--s 00300000 fe:00 1234                       /opt/shared", 0),
      mapping("00a00000-00a04000 r--p 00000000 00:00 0 ", 0),
      mapping("00b00000-00b04000 r-xp 00000000 00:00 0                          [vdso]", 0),
    ].join("");
    assert.deepEqual(unmodifiedFiles(smaps), []);
  });

  it("reads a mapping without the line as one that is not known", () => {
    assert.deepEqual(unmodifiedFiles("00400000-00500000 r--p 00000000 fe:00 1 /opt/node\n"), []);
  });
});
