/** `assay agent healthcheck|info`: the agent of this machine. */

import { type Command, Option } from "commander";
import { AgentAdmin } from "../../proto/gen/assay/agent/v1/agent_pb.ts";
import {
  Health,
  HealthCheckResponse_ServingStatus,
} from "../../proto/gen/grpc/health/v1/health_pb.ts";
import type { CliIo } from "../../runtime/cli/cli-io.ts";
import { CliError, ExitCode } from "../../runtime/cli/exit-code.ts";
import { outputOption } from "../../runtime/cli/options.ts";
import { formatOne, type OutputFormat } from "../../runtime/cli/output.ts";
import { openChannel } from "../../runtime/rpc/channel.ts";
import { createClient } from "../../runtime/rpc/client.ts";

interface AgentOptions {
  readonly agentSocket: string;
  readonly output: OutputFormat;
}

const timeoutMs = 5_000;

export function addAgentAdminCommands(agent: Command, io: CliIo): void {
  const call = { signal: io.signal, timeoutMs };

  withAgentOptions(agent.command("healthcheck"))
    .description("Ask this machine's agent whether it can serve. Exit code 5 means no.")
    .addHelpText("after", "\nExample:\n  assay agent healthcheck")
    .action(({ agentSocket }: AgentOptions) =>
      withChannel(agentSocket, async (channel) => {
        const { status } = await createClient(Health, channel).check({}, call);
        if (status !== HealthCheckResponse_ServingStatus.SERVING) {
          throw new CliError("agent is not serving", { exitCode: ExitCode.unavailable });
        }
        io.writeError("agent is serving\n");
      }),
    );

  withAgentOptions(agent.command("info"))
    .description("Show what this machine's agent holds and how fresh it is.")
    .addHelpText("after", "\nExample:\n  assay agent info --output json")
    .action(({ agentSocket, output }: AgentOptions) =>
      withChannel(agentSocket, async (channel) => {
        const info = await createClient(AgentAdmin, channel).getInfo({}, call);
        const { lastContactMs, svidExpiresAt } = info;
        const row = {
          agent_id: info.agentId,
          trust_domain: info.trustDomain,
          version: info.version,
          uptime_seconds: info.uptimeMs / 1000n,
          server: info.serverAddress,
          sync: info.syncMode,
          revision: info.cursor?.revision,
          last_contact: lastContactMs === 0n ? undefined : new Date(Number(lastContactMs)),
          svid_expires_at:
            svidExpiresAt === 0n ? undefined : new Date(Number(svidExpiresAt) * 1000),
          entries: info.entries,
          cached_svids: info.cachedSvids,
          workload_streams: info.workloadStreams,
        };
        io.write(formatOne(row, output));
      }),
    );
}

function withAgentOptions(command: Command): Command {
  return command
    .addOption(
      new Option("--agent-socket <path>", "the agent's admin socket")
        .env("ASSAY_AGENT_SOCKET")
        .default("/run/assay/agent/admin.sock"),
    )
    .addOption(outputOption());
}

async function withChannel(
  path: string,
  action: (channel: ReturnType<typeof openChannel>) => Promise<void>,
): Promise<void> {
  const channel = openChannel({ target: `unix:${path}` });
  try {
    await action(channel);
  } finally {
    channel.close();
  }
}
