/** `assay token create`: one-use secrets by which an agent joins. */
import type { Command } from "commander";
import { Agent as AgentService } from "../../proto/gen/spire/api/server/agent/v1/agent_pb.ts";
import type { CliIo } from "../../runtime/cli/cli-io.ts";
import { runWithServer, type ServerOptions, withServerOptions } from "./server-cli.ts";
import { parseIdOption, parseSecondsOption, timeOf } from "./wire-text.ts";

export function addTokenCommands(program: Command, io: CliIo): void {
  const token = program.command("token").description("Join tokens for agents.");
  withServerOptions(token.command("create"))
    .description("Create a join token; it is shown once and never again.")
    .option("--ttl <duration>", "how long it may be used", "10m")
    .option("--agent-id <id>", "a second SPIFFE ID for the agent, to use as parent of entries")
    .addHelpText(
      "after",
      "\nExample:\n  assay token create --ttl 1h --agent-id spiffe://example.org/node/db1",
    )
    .action((options: ServerOptions & { ttl: string; agentId?: string }) =>
      runWithServer(io, options, async (session) => {
        const created = await session.client(AgentService).createJoinToken(
          {
            ttl: parseSecondsOption("--ttl", options.ttl),
            ...(options.agentId && { agentId: parseIdOption("--agent-id", options.agentId) }),
          },
          session.call,
        );
        session.printOne({ token: created.value, expires_at: timeOf(created.expiresAt) });
      }),
    );
}
