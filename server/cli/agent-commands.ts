/** `assay agent list|show|count|ban|evict|purge`: the agents that the server knows. */

import { type Command, Option } from "commander";
import { Agent as AgentService } from "../../proto/gen/spire/api/server/agent/v1/agent_pb.ts";
import type { Agent } from "../../proto/gen/spire/api/types/agent_pb.ts";
import { SelectorMatch_MatchBehavior } from "../../proto/gen/spire/api/types/selector_pb.ts";
import type { CliIo } from "../../runtime/cli/cli-io.ts";
import { collect } from "../../runtime/cli/options.ts";
import type { Row } from "../../runtime/cli/output.ts";
import type { Clock } from "../../runtime/time/clock.ts";
import { waitForRollout } from "./rollout.ts";
import {
  runWithServer,
  type ServerOptions,
  type ServerSession,
  withServerOptions,
} from "./server-cli.ts";
import {
  idText,
  parseDurationOption,
  parseIdOption,
  parseSelectorOption,
  selectorText,
  timeOf,
} from "./wire-text.ts";

interface FilterOptions extends ServerOptions {
  readonly selector?: string[];
  readonly attestationType?: string;
  readonly banned?: boolean;
}

const columns = ["id", "attestation", "expires_at", "banned", "can_reattest", "version"];
const pageSize = 500;

export function addAgentCommands(agent: Command, io: CliIo, clock: Clock): void {
  withFilters(withServerOptions(agent.command("list")))
    .description("List attested agents.")
    .addHelpText("after", "\nExample:\n  assay agent list --attestation-type x509pop")
    .action((options: FilterOptions) =>
      runWithServer(io, options, async (session) => {
        const agents = await Array.fromAsync(listAgents(session, options));
        session.printRows(agents.map(rowOf), columns);
      }),
    );

  withFilters(withServerOptions(agent.command("count")))
    .description("Count attested agents.")
    .addHelpText("after", "\nExample:\n  assay agent count --banned")
    .action((options: FilterOptions) =>
      runWithServer(io, options, async (session) => {
        const { count } = await session
          .client(AgentService)
          .countAgents({ filter: filterOf(options) }, session.call);
        session.printOne({ count });
      }),
    );

  withServerOptions(agent.command("show"))
    .description("Show one agent.")
    .argument("<id>", "the agent's SPIFFE ID")
    .addHelpText(
      "after",
      "\nExample:\n  assay agent show spiffe://example.org/spire/agent/x509pop/1f0c",
    )
    .action((id: string, options: ServerOptions) =>
      runWithServer(io, options, async (session) => {
        const found = await session
          .client(AgentService)
          .getAgent({ id: parseIdOption("<id>", id) }, session.call);
        session.printOne(rowOf(found));
      }),
    );

  withWait(withServerOptions(agent.command("ban")))
    .description("Shut an agent out: its connections end and it cannot come back until evicted.")
    .argument("<id>", "the agent's SPIFFE ID")
    .addHelpText(
      "after",
      "\nExample:\n  assay agent ban spiffe://example.org/spire/agent/x509pop/1f0c --wait",
    )
    .action((id: string, options: ServerOptions & { wait?: boolean }) =>
      runWithServer(io, options, async (session) => {
        await session
          .client(AgentService)
          .banAgent({ id: parseIdOption("<id>", id) }, session.call);
        session.io.writeError(`banned ${id}\n`);
        if (options.wait) await waitForRollout(session);
      }),
    );

  withServerOptions(agent.command("evict"))
    .description("Forget an agent: it must attest again.")
    .argument("<id>", "the agent's SPIFFE ID")
    .addHelpText(
      "after",
      "\nExample:\n  assay agent evict spiffe://example.org/spire/agent/x509pop/1f0c",
    )
    .action((id: string, options: ServerOptions) =>
      runWithServer(io, options, async (session) => {
        await session
          .client(AgentService)
          .deleteAgent({ id: parseIdOption("<id>", id) }, session.call);
        session.io.writeError(`evicted ${id}\n`);
      }),
    );

  withServerOptions(agent.command("purge"))
    .description("Evict agents whose SVID expired long ago.")
    .addOption(new Option("--expired-for <duration>", "how long ago").default("30d"))
    .option("--dry-run", "only tell which ones")
    .addHelpText("after", "\nExample:\n  assay agent purge --expired-for 90d --dry-run")
    .action((options: ServerOptions & { expiredFor: string; dryRun?: boolean }) =>
      runWithServer(io, options, async (session) => {
        const before =
          clock.now().getTime() - parseDurationOption("--expired-for", options.expiredFor);
        const client = session.client(AgentService);
        const rows: Row[] = [];
        for await (const each of listAgents(session, {})) {
          if (each.banned || Number(each.x509svidExpiresAt) * 1000 > before) continue;
          if (!options.dryRun && each.id) await client.deleteAgent({ id: each.id }, session.call);
          rows.push({ ...rowOf(each), evicted: !options.dryRun });
        }
        session.printRows(rows, ["id", "expires_at", "evicted"]);
      }),
    );
}

function withFilters(command: Command): Command {
  return command
    .option("--selector <type:value>", "only agents with this selector; may be repeated", collect)
    .option("--attestation-type <type>", "only agents attested this way")
    .option("--banned", "only banned agents")
    .option("--no-banned", "only agents that are not banned");
}

function withWait(command: Command): Command {
  return command.option("--wait", "wait until every connected agent has applied the change");
}

async function* listAgents(
  session: ServerSession,
  options: Partial<FilterOptions>,
): AsyncGenerator<Agent> {
  let pageToken = "";
  do {
    const page = await session
      .client(AgentService)
      .listAgents({ filter: filterOf(options), pageSize, pageToken }, session.call);
    yield* page.agents;
    pageToken = page.nextPageToken;
  } while (pageToken !== "");
}

function filterOf({ selector, attestationType, banned }: Partial<FilterOptions>) {
  return {
    ...(attestationType !== undefined && { byAttestationType: attestationType }),
    ...(banned !== undefined && { byBanned: banned }),
    ...(selector && {
      bySelectorMatch: {
        match: SelectorMatch_MatchBehavior.MATCH_SUPERSET,
        selectors: selector.map((text) => parseSelectorOption("--selector", text)),
      },
    }),
  };
}

function rowOf(agent: Agent): Row {
  return {
    id: idText(agent.id),
    attestation: agent.attestationType,
    serial_number: hexSerial(agent.x509svidSerialNumber),
    expires_at: timeOf(agent.x509svidExpiresAt),
    banned: agent.banned,
    can_reattest: agent.canReattest,
    version: agent.agentVersion,
    selectors: agent.selectors.map(selectorText),
  };
}

/** The public API says serial numbers in decimal; everything else of ours, the audit above all, in hexadecimal. */
function hexSerial(decimal: string): string {
  return /^\d+$/.test(decimal) ? BigInt(decimal).toString(16) : "";
}
