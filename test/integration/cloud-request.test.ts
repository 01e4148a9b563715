// A cloud's token service that answers late, slowly or not at all.

import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, it } from "node:test";
import { CliError, ExitCode } from "../../runtime/cli/exit-code.ts";
import { postToCloud } from "../../server/cli/cloud/cloud-request.ts";

const signal = new AbortController().signal;

/** Asks a service that behaves so, by default with little time for it. */
async function ask(
  listener: RequestListener,
  { given = signal, timeoutMs = 300 }: { given?: AbortSignal; timeoutMs?: number } = {},
): Promise<unknown> {
  const server = createServer(listener).listen(0, "127.0.0.1");
  await once(server, "listening");
  try {
    const { port } = server.address() as AddressInfo;
    const request = { url: `http://127.0.0.1:${port}`, contentType: "text/plain", body: "secret" };
    return await postToCloud({ ...request, timeoutMs }, given).catch((err: unknown) => err);
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

describe("postToCloud", () => {
  it("gives up on a service that does not answer", async () => {
    const err = await ask(() => {});
    assert.ok(err instanceof CliError && err.exitCode === ExitCode.unavailable);
    assert.match(err.message, /^127\.0\.0\.1:\d+ does not answer: no whole answer in 0\.3 s$/);
  });

  it("gives up on an answer that drips, however lively it is", async () => {
    const err = await ask((_, response) => {
      const dripping = setInterval(() => response.write("x"), 10);
      response.once("close", () => clearInterval(dripping));
    });
    assert.ok(err instanceof CliError && err.exitCode === ExitCode.unavailable);
    assert.match(err.message, /no whole answer in 0\.3 s$/);
  });

  it("gives up on a service that does not answer after its head", async () => {
    const err = await ask((_, response) => void response.writeHead(200).flushHeaders());
    assert.ok(err instanceof CliError);
    assert.match(err.message, /no whole answer in 0\.3 s$/);
  });

  it("ends with its caller, and says so", async () => {
    const caller = new AbortController();
    const err = await ask(() => caller.abort(new Error("interrupted")), {
      given: caller.signal,
      timeoutMs: 60_000,
    });
    assert.ok(err instanceof CliError);
    assert.match(err.message, /does not answer: .*interrupted/);
  });
});
