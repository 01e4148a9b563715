// A workload in a pod. Prints a line of JSON for each answer of the Workload API, and one for how the stream ended. Arguments: the
// path of the socket, and how many answers to wait for.

import { StatusError } from "../../../runtime/errors/status-error.ts";
import { BareWorkload } from "../../support/bare-workload.ts";

const [, , socketPath = "", wanted = "1"] = process.argv;
const startedMs = performance.timeOrigin;
using workload = new BareWorkload(socketPath);

const say = (line: object): void => {
  const ms = Math.round(performance.timeOrigin + performance.now() - startedMs);
  process.stdout.write(`${JSON.stringify({ ...line, ms })}\n`);
};

let left = Number(wanted);
const over = new AbortController();
try {
  for await (const ids of workload.watchIds(over.signal)) {
    say({ ids: [...ids].sort() });
    left -= 1;
    if (left === 0) break;
  }
} catch (err) {
  if (!(err instanceof StatusError)) throw err;
  say({ code: err.code, reason: err.reason });
}
