import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { TreeEntry } from "./file-tree.ts";
import { packTar } from "./tar.ts";

const options = { modifiedAt: new Date("2026-01-02T03:04:05Z") };
const file = (path: string, contents = ""): TreeEntry => ({ path, mode: 0o644, contents });

interface Read {
  readonly path: string;
  readonly type: string;
  readonly contents: string;
  readonly seconds: number;
}

/** Reads what packTar writes, by the format's description and not by its code. */
function readTar(archive: Buffer): readonly Read[] {
  const found: Read[] = [];
  for (let at = 0; archive[at] !== 0; ) {
    const block = archive.subarray(at, at + 512);
    const text = (from: number, to: number): string =>
      block.subarray(from, to).toString().replace(/\0.*$/s, "");
    const stated = Number.parseInt(text(148, 155), 8);
    const sum = block.reduce((total, byte, i) => total + (i >= 148 && i < 156 ? 32 : byte), 0);
    assert.equal(stated, sum);
    const size = Number.parseInt(text(124, 136), 8);
    const prefix = text(345, 500);
    found.push({
      path: prefix === "" ? text(0, 100) : `${prefix}/${text(0, 100)}`,
      type: text(156, 157),
      contents: archive.subarray(at + 512, at + 512 + size).toString() || text(157, 257),
      seconds: Number.parseInt(text(136, 148), 8),
    });
    at += 512 + Math.ceil(size / 512) * 512;
  }
  return found;
}

describe("packTar", () => {
  it("writes folders first, then files and links in the order of their paths", () => {
    const entries = [file("b/c/x", "1"), { path: "b/a", target: "c/x" }, file("a", "22")];
    const read = readTar(packTar(entries, options));
    assert.deepEqual(
      read.map(({ path, type, contents }) => [path, type, contents]),
      [
        ["b/", "5", ""],
        ["b/c/", "5", ""],
        ["a", "0", "22"],
        ["b/a", "2", "c/x"],
        ["b/c/x", "0", "1"],
      ],
    );
    assert.deepEqual(new Set(read.map(({ seconds }) => seconds)), new Set([1_767_323_045]));
  });

  it("keeps a folder that is named, with its mode and its owner", () => {
    const archive = packTar([{ path: "var/own", mode: 0o1777, owner: 65532 }], options);
    assert.deepEqual(
      readTar(archive).map(({ path }) => path),
      ["var/", "var/own/"],
    );
    const fields = archive.subarray(512 + 100, 512 + 124).toString();
    assert.equal(fields, "0001777\0" + "0177774\0" + "0177774\0");
  });

  it("gives the same bytes for the same entries in another order", () => {
    const entries = [file("a", "1"), file("b", "2"), file("c/d", "3")];
    assert.deepEqual(packTar(entries, options), packTar(entries.toReversed(), options));
  });

  it("splits a long path, and refuses one that does not fit", () => {
    const path = `${"d".repeat(90)}/${"f".repeat(90)}`;
    assert.deepEqual(
      readTar(packTar([file(path)], options)).map((read) => read.path),
      [`${"d".repeat(90)}/`, path],
    );
    assert.throws(() => packTar([file("f".repeat(101))], options), /no room in a tar header/);
  });
});
