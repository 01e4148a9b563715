import assert from "node:assert/strict";
import type { Workload } from "./workload.ts";

/** From `since` on a workload's stream may have broken, but nobody refused it. */
export async function assertNotRefused(workload: Workload, since: number): Promise<void> {
  const lines = await workload.lines();
  const refused = lines.filter(
    ({ at, code }) => at >= since && code !== undefined && code !== "Unavailable",
  );
  assert.deepEqual(refused, []);
}
