// The page on nginx, with the real nginx: rotations under requests that never stop, and one connection through all of them.

import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { test } from "node:test";
import type { FilesWorld } from "../support/files-world.ts";
import { askAsStranger, type ProxyStory, proveProxy } from "../support/proxy-story.ts";
import { requires } from "../support/requires.ts";

const nginx: ProxyStory = {
  page: "nginx.md",
  places: { "/run/nginx-identity": "identity", "/run/nginx.pid": "nginx.pid" },
  certificate: "identity/svid.pem",
  start: async (world) => {
    const conf = world.dir.join("nginx.conf");
    await writeFile(conf, await configuration(world));
    await world.start("nginx", "/usr/sbin/nginx", ["-e", "stderr", "-c", conf]);
  },
};

if (requires("linux", "nginx")) {
  test("nginx goes through rotations without a failed request", (t) =>
    proveProxy(
      nginx,
      (text) => t.diagnostic(text),
      async (port) => {
        const { status, body } = await askAsStranger(port);
        assert.equal(status, 400);
        assert.match(body, /No required SSL certificate was sent/);
      },
    ));
}

/** What is around the page's server. */
async function configuration(world: FilesWorld): Promise<string> {
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
    .map((name) => `${name}_temp_path ${world.dir.join(name)};`)
    .join("\n");
  return `
daemon off;
pid ${world.dir.join("nginx.pid")};
${process.getuid?.() === 0 ? "user root;" : ""}
events {}
http {
access_log off;
${temporary}
${await world.block("nginx.md", "nginx")}
}
`;
}
