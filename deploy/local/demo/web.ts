// The demo's HTTP client: once told where, it calls the server again and again, each time over a new connection.

import { once } from "node:events";
import type { IncomingMessage } from "node:http";
import { request } from "node:https";
import { text } from "node:stream/consumers";
import { systemClock } from "../../../runtime/time/clock.ts";
import { matchId, SpiffeHttpsAgent, SpiffeId, X509Source } from "../../../spiffe/client.ts";
import type { Order } from "./messages.ts";
import { report, reportIdentity, untilGuideLeaves } from "./reporting.ts";

const pauseMs = 10;

const signal = untilGuideLeaves();
await using source = await X509Source.open({ signal });
const authorize = matchId(SpiffeId.parse(process.argv[2] ?? ""));
const agent = new SpiffeHttpsAgent({ svid: source, bundles: source, authorize });

async function callOnce(port: number): Promise<void> {
  try {
    const sent = request({ host: "127.0.0.1", port, agent, signal }).end();
    const [response]: IncomingMessage[] = await once(sent, "response");
    if (response !== undefined) report({ kind: "answered", peer: await text(response) });
  } catch (error) {
    if (!signal.aborted) report({ kind: "refused", reason: String(error) });
  }
}

process.once("message", async ({ port }: Order) => {
  while (!signal.aborted) {
    await callOnce(port);
    await systemClock.sleep(pauseMs, signal);
  }
});
await reportIdentity(source, signal);
