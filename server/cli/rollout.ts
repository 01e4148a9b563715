/** `--wait`: watches a change until every connected agent has applied it. */
import { Admin, type Rollout } from "../../proto/gen/assay/admin/v1/admin_pb.ts";
import { CliError, ExitCode } from "../../runtime/cli/exit-code.ts";
import type { ServerSession } from "./server-cli.ts";

/**
 * Prints each agent that is late and ends with the time it took. Progress goes to standard error, so
 * that the command's result stays alone on standard output.
 *
 * @param revision the revision of the change; absent for the server's newest
 * @throws {CliError} unavailable, when agents are still late at the deadline
 */
export async function waitForRollout(session: ServerSession, revision?: bigint): Promise<void> {
  const { io } = session;
  const watch = session
    .client(Admin)
    .watchRollout({ revision: revision ?? 0n, delivered: false }, session.call);
  let last: Rollout | undefined;
  for await (const rollout of watch) {
    const isNews = rollout.late.join() !== last?.late.join();
    last = rollout;
    if (rollout.complete) break;
    if (isNews) for (const id of rollout.late) io.writeError(`waiting for ${id}\n`);
  }
  if (!last?.complete) {
    throw new CliError(`${last?.late.length ?? "some"} agents have not applied the change`, {
      exitCode: ExitCode.unavailable,
      hint: "they will when they can; --timeout waits longer",
    });
  }
  for (const { agentId, lastSeenMs } of last.absent) {
    const since = lastSeenMs === 0n ? "never seen" : new Date(Number(lastSeenMs)).toISOString();
    io.writeError(`not connected: ${agentId} (${since})\n`);
  }
  io.writeError(`applied on ${last.applied} agents in ${last.elapsedMs} ms\n`);
}
