// The page on HAProxy, with the real HAProxy: rotations under requests that never stop, and one connection through all of them.

import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { test } from "node:test";
import { askAsStranger, type ProxyStory, proveProxy } from "../support/proxy-story.ts";
import { requires } from "../support/requires.ts";

const haproxy: ProxyStory = {
  page: "haproxy.md",
  places: {
    "/run/haproxy-identity": "identity",
    "/run/haproxy.pid": "haproxy.pid",
    "/run/haproxy.sock": "haproxy.sock",
  },
  certificate: "identity/identity.pem",
  start: async (world) => {
    const conf = world.dir.join("haproxy.cfg");
    await writeFile(conf, await world.block("haproxy.md", "haproxy"));
    const pidFile = world.dir.join("haproxy.pid");
    await world.start("haproxy", "/usr/sbin/haproxy", ["-W", "-f", conf, "-p", pidFile]);
  },
};

if (requires("linux", "haproxy")) {
  test("HAProxy goes through rotations without a failed request", (t) =>
    proveProxy(
      haproxy,
      (text) => t.diagnostic(text),
      async (port) => {
        await assert.rejects(askAsStranger(port), /alert|socket|ECONNRESET/i);
      },
    ));
}
