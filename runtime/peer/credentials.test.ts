import assert from "node:assert/strict";
import { Socket } from "node:net";
import { describe, it } from "node:test";
import { fileDescriptor, openPeerReader } from "./credentials.ts";

describe("openPeerReader", () => {
  it("refuses to open where callers cannot be known", () => {
    assert.throws(() => openPeerReader("win32"), {
      message: "finding out who calls on a unix socket is not supported on win32",
    });
  });
});

describe("fileDescriptor", () => {
  it("refuses a socket that is not connected", () => {
    assert.throws(() => fileDescriptor(new Socket()), {
      name: "PeerGoneError",
      message: "socket is closed",
    });
  });
});
