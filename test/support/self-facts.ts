import {
  type ProcessFacts,
  readProcessFacts,
} from "../../agent/workload-attestation/process-facts.ts";

/** What the kernel says of the test's own process. */
export function selfFacts(): ProcessFacts {
  return readProcessFacts({
    pid: process.pid,
    uid: process.getuid?.() ?? 0,
    gid: process.getgid?.() ?? 0,
  });
}
