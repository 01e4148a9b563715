import { userInfo } from "node:os";
import { Entry } from "../../proto/gen/spire/api/server/entry/v1/entry_pb.ts";
import { Status } from "../../runtime/errors/status-error.ts";
import type { LocalMachine } from "./local-machine.ts";

/** A process that is to have an identity on a machine. */
export interface WorkloadEntry {
  /** Path of its SPIFFE ID. */
  readonly path: string;
  /** What it must show, as "type:value". */
  readonly selectors: readonly string[];
  /** Seconds; the server's default unless given. */
  readonly x509SvidTtl?: number;
}

/** The calling user as a workload: every process of its uid. */
export function userWorkload(user: {
  readonly username: string;
  readonly uid: number;
}): WorkloadEntry {
  // A path segment has letters, digits, dots, dashes and underscores, and is neither "." nor ".." (SPIFFE-ID 2.2).
  const segment = user.username.replace(/[^A-Za-z0-9._-]/g, "-").replace(/^\.{0,2}$/, "unnamed");
  return { path: `/user/${segment}`, selectors: [`unix:uid:${user.uid}`] };
}

/**
 * Registers the calling user on the machine's agent, unless an earlier start did.
 *
 * @returns the SPIFFE ID it may now have
 */
export async function registerUser(machine: LocalMachine, signal: AbortSignal): Promise<string> {
  const workload = userWorkload(userInfo());
  await registerWorkload(machine, workload, signal);
  return `spiffe://${machine.trustDomain}${workload.path}`;
}

/**
 * Registers a workload on the machine's agent.
 *
 * @returns the ID of the entry, of the existing one if there is one just like it
 * @throws {Error} with the server's reason
 */
export async function registerWorkload(
  { server, trustDomain, agentPath }: LocalMachine,
  { path, selectors, x509SvidTtl = 0 }: WorkloadEntry,
  signal: AbortSignal,
): Promise<string> {
  const entry = {
    spiffeId: { trustDomain, path },
    parentId: { trustDomain, path: agentPath },
    x509SvidTtl,
    selectors: selectors.map((selector) => {
      const colon = selector.indexOf(":");
      return { type: selector.slice(0, colon), value: selector.slice(colon + 1) };
    }),
  };
  const call = { signal, timeoutMs: 10_000 };
  const { results } = await server.client(Entry).batchCreateEntry({ entries: [entry] }, call);
  const { status, entry: registered } = results[0] ?? {};
  if (status?.code !== Status.OK && status?.code !== Status.ALREADY_EXISTS) {
    throw new Error(`registering ${path}: ${status?.message ?? "no answer"}`);
  }
  return registered?.id ?? "";
}
