// The demo's HTTP server: answers whoever of the trust domain shows an SVID, and says whom it saw.

import {
  createHttpsServer,
  matchMemberOf,
  peerIdOf,
  TrustDomain,
  X509Source,
} from "../../../spiffe/client.ts";
import { report, reportIdentity, untilGuideLeaves } from "./reporting.ts";

const signal = untilGuideLeaves();
await using source = await X509Source.open({ signal });
const authorize = matchMemberOf(TrustDomain.parse(process.argv[2] ?? ""));
const tls = { svid: source, bundles: source, authorize };
const server = createHttpsServer(tls, (request, response) => {
  response.end(peerIdOf(request.socket)?.toString());
});
server.listen({ host: "127.0.0.1", port: 0, signal }, () => {
  const address = server.address();
  if (address !== null && typeof address === "object") {
    report({ kind: "listening", port: address.port });
  }
});
await reportIdentity(source, signal);
