// A workload that uses the tarball of our client library as its users do. It finds the Workload API through SPIFFE_ENDPOINT_SOCKET.
//
//   workload.mjs fetch ID AUDIENCE   fetches, and verifies locally and through the Workload API
//   workload.mjs watch UPDATES       reports each X.509 update until there were that many
//
// Prints a line of JSON for each check, as the programs of test/interop do.

import { request } from "node:https";
import process from "node:process";
import {
  createHttpsServer,
  JwtSource,
  matchId,
  peerIdOf,
  SpiffeHttpsAgent,
  SpiffeId,
  X509Source,
} from "@assay/spiffe";

let failed = false;

function report(check, ok, detail) {
  failed ||= !ok;
  process.stdout.write(`${JSON.stringify({ check, ok, detail })}\n`);
}

async function run(check, function_) {
  try {
    report(check, true, await function_());
  } catch (error) {
    report(check, false, String(error));
  }
}

function same(found, expected) {
  if (String(found) !== expected) throw new Error(`${found} instead of ${expected}`);
  return String(found);
}

async function fetchAll(expected, audience) {
  await using source = await X509Source.open();
  await using tokens = await JwtSource.open();
  await run("X509Source", () => same(source.x509Svid().id, expected));
  await run("mutual TLS with oneself", async () => {
    const tls = { svid: source, bundles: source, authorize: matchId(SpiffeId.parse(expected)) };
    const server = createHttpsServer(tls, (call, answer) =>
      answer.end(String(peerIdOf(call.socket))),
    );
    const { promise: listening, resolve } = Promise.withResolvers();
    server.listen(0, "127.0.0.1", resolve);
    await listening;
    const agent = new SpiffeHttpsAgent(tls);
    try {
      const answer = Promise.withResolvers();
      const call = request(
        { host: "127.0.0.1", port: server.address().port, agent },
        answer.resolve,
      );
      call.on("error", answer.reject).end();
      return same(Buffer.concat(await Array.fromAsync(await answer.promise)), expected);
    } finally {
      agent.destroy();
      server.close();
    }
  });
  const { token, id } = await tokens.jwtSvid({ audience });
  await run("JwtSource", () => same(id, expected));
  await run("JWT-SVID that the bundle verifies", async () =>
    same((await tokens.verify(token, [audience])).id, expected),
  );
  await run("the Workload API validates the token", async () =>
    same((await tokens.validate(token, audience)).id, expected),
  );
  await run("the Workload API refuses the token for another audience", () =>
    tokens.validate(token, "another").then(
      () => Promise.reject(new Error("accepted")),
      (error) => String(error),
    ),
  );
}

async function watch(updates) {
  await using source = await X509Source.open();
  const enough = new AbortController();
  let seen = 0;
  for await (const svid of source.current.subscribe(enough.signal)) {
    if (svid === undefined) continue;
    report("update", true, [{ id: String(svid.id) }]);
    seen += 1;
    if (seen === updates) enough.abort();
  }
  report("all updates came", seen === updates, seen);
}

const [, , command, ...given] = process.argv;
if (command === "fetch") await fetchAll(given[0], given[1]);
else await watch(Number(given[0]));
report("complete", !failed);
process.exitCode = failed ? 1 : 0;
