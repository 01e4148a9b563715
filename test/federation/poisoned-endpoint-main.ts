// A bundle endpoint that means harm, by itself. Its first line tells where it is and who vouches for it; afterwards it tells of each
// answer that ended, with the bytes that were sent.

import { once } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import { text } from "node:stream/consumers";
import { setTimeout as wait } from "node:timers/promises";
import { formatPem } from "../../spiffe/x509/pem.ts";
import { ForeignEndpoint, webAuthority, webCertificate } from "../support/foreign-endpoint.ts";

const tell = (line: object): void => void process.stdout.write(`${JSON.stringify(line)}\n`);

/** What is served as it was put here. */
const documents = new Map<string, string>();

/** Sends a piece as often as told, as long as somebody takes it. */
async function send(
  response: ServerResponse,
  piece: Uint8Array,
  o: { readonly times: number; readonly pauseMs: number },
): Promise<void> {
  const gone = new AbortController();
  response.on("close", () => gone.abort()).on("error", () => {});
  const { signal } = gone;
  let sent = 0;
  try {
    for (; sent < o.times && !signal.aborted; sent++) {
      if (!response.write(piece)) await once(response, "drain", { signal });
      if (o.pauseMs > 0) await wait(o.pauseMs, undefined, { signal });
    }
    response.end();
  } catch {
    // Nobody listens any more.
  }
  tell({ path: response.req.url, sentBytes: sent * piece.length });
}

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const path = request.url ?? "";
  if (request.method === "PUT") {
    documents.set(path, await text(request));
    response.end();
  } else if (path === "/large") {
    await send(response, Buffer.alloc(1_000_000, " "), { times: 100, pauseMs: 0 });
  } else if (path === "/drip") {
    await send(response, Buffer.from(" "), { times: Infinity, pauseMs: 100 });
  } else if (path.startsWith("/redirect")) {
    response.writeHead(302, { location: `${path}-again` }).end();
  } else {
    response.end(documents.get(path));
  }
}

const endpoint = await ForeignEndpoint.open(webCertificate(), (request, response) => {
  answer(request, response).catch(() => response.destroy());
});
tell({ url: endpoint.url, authority: formatPem("CERTIFICATE", webAuthority.der) });
