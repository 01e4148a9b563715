import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:net";
import { suite, test } from "node:test";
import { freePort } from "./free-port.ts";

suite("freePort", () => {
  test("takes the preferred port, and another one where that is taken", async () => {
    const preferred = await freePort(0);
    assert.equal(await freePort(preferred), preferred);
    const server = createServer().listen({ host: "127.0.0.1", port: preferred });
    await once(server, "listening");
    try {
      const other = await freePort(preferred);
      assert.notEqual(other, preferred);
      assert.ok(other > 0);
    } finally {
      server.close();
    }
  });
});
