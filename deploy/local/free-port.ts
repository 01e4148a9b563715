import { once } from "node:events";
import { createServer } from "node:net";
import { type Random, systemRandom } from "../../runtime/random.ts";

/** Below those that kernels give to whoever asks for any: they would give ours to another before its server has it. */
const ours = { from: 10_000, count: 20_000 };
const attempts = 100;

/** A TCP port of this machine's loopback that nobody listens on: the preferred one unless it is 0 or taken, or else any. */
export async function freePort(preferred: number, random: Random = systemRandom): Promise<number> {
  const wanted = preferred === 0 ? undefined : await tryPort(preferred);
  if (wanted !== undefined) return wanted;
  for (let attempt = 0; attempt < attempts; attempt++) {
    const drawn = ours.from + Math.floor(random.uniform() * ours.count);
    const port = await tryPort(drawn);
    if (port !== undefined) return port;
  }
  return (await tryPort(0)) ?? 0;
}

async function tryPort(port: number): Promise<number | undefined> {
  const server = createServer();
  try {
    server.listen({ host: "127.0.0.1", port });
    await once(server, "listening");
    const address = server.address();
    return typeof address === "object" ? address?.port : undefined;
  } catch {
    return undefined;
  } finally {
    server.close();
  }
}
