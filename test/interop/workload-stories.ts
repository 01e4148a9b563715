// What every workload library must be able to do with our agent, told once and run with each of them.

import assert from "node:assert/strict";
import { userInfo } from "node:os";
import type { TestContext } from "node:test";
import { registerUser, registerWorkload, userWorkload } from "../../deploy/local/user-entry.ts";
import { type Check, type Program, streamChecks, testChecks } from "../support/interop.ts";
import type { Machine } from "../support/machine.ts";

/** How to start a library's program for one of the stories. */
export interface WorkloadProgram {
  fetch(id: string, audience: string): Omit<Program, "env">;
  watch(updates: number): Omit<Program, "env">;
}

/** Where a workload of this machine finds its identity. */
export function endpoint(machine: Machine): { readonly SPIFFE_ENDPOINT_SOCKET: string } {
  return { SPIFFE_ENDPOINT_SOCKET: `unix://${machine.local.layout.workloadSocket}` };
}

/** The library fetches and verifies what this user's entry gives. */
export async function fetchStory(
  t: TestContext,
  machine: Machine,
  program: WorkloadProgram,
  expected: readonly string[],
): Promise<void> {
  const id = await registerUser(machine.local, machine.signal);
  await testChecks(t, { ...program.fetch(id, "interop"), env: endpoint(machine) }, expected);
}

/** The library's stream brings a second identity as soon as its entry is there. */
export async function watchStory(machine: Machine, program: WorkloadProgram): Promise<void> {
  const first = await registerUser(machine.local, machine.signal);
  const { selectors } = userWorkload(userInfo());
  const updates: Check[] = [];
  for await (const check of streamChecks({ ...program.watch(2), env: endpoint(machine) })) {
    assert.ok(check.ok, String(check.detail));
    if (check.check !== "update") continue;
    updates.push(check);
    if (updates.length === 1) {
      await registerWorkload(machine.local, { path: "/second", selectors }, machine.signal);
    }
  }
  const both = [first, "spiffe://example.test/second"].sort();
  assert.deepEqual(updates.map(idsIn), [[first], both]);
}

function idsIn({ detail }: Check): readonly string[] {
  assert.ok(Array.isArray(detail));
  return detail.map(({ id }: { id: string }) => id).sort();
}
