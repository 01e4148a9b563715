/** `assay why`: the reason why a workload has no identity, and what would give it one (decision D10). */

import { type Command, Option } from "commander";
import { Admin, type Explanation } from "../../proto/gen/assay/admin/v1/admin_pb.ts";
import { AgentAdmin } from "../../proto/gen/assay/agent/v1/agent_pb.ts";
import type { CliIo } from "../../runtime/cli/cli-io.ts";
import { usageError } from "../../runtime/cli/exit-code.ts";
import { collect } from "../../runtime/cli/options.ts";
import { formatRows, type Row } from "../../runtime/cli/output.ts";
import { openSocketChannel } from "./server-channel.ts";
import {
  runWithServer,
  type ServerOptions,
  type ServerSession,
  withServerOptions,
} from "./server-cli.ts";
import { idText, parseIdOption, parseSelectorOption, selectorText } from "./wire-text.ts";

interface WhyOptions extends ServerOptions {
  readonly pid?: string;
  readonly agent?: string;
  readonly selectors?: string[];
  readonly recent?: boolean;
  readonly agentSocket: string;
}

export function addWhyCommand(program: Command, io: CliIo): void {
  withServerOptions(program.command("why"))
    .description("Tell why a process has no identity, and what would give it one.")
    .option("--pid <pid>", "a process: of this node, or of --agent's")
    .option("--agent <id>", "the agent whose workloads are meant")
    .option("--selectors <type:value>", "ask for these selectors; may be repeated", collect)
    .option("--recent", "the newest refusals, of --agent or of all connected agents")
    .addOption(
      new Option("--agent-socket <path>", "this node's agent admin socket")
        .env("ASSAY_AGENT_SOCKET")
        .default("/run/assay/agent/admin.sock"),
    )
    .addHelpText(
      "after",
      "\nExamples:\n  assay why --pid 4711\n  assay why --agent spiffe://example.org/spire/agent/x509pop/1f0c --selectors unix:uid:1000\n  assay why --recent",
    )
    .action((options: WhyOptions) =>
      runWithServer(io, options, async (session) => {
        const { explanations } = await session
          .client(Admin)
          .explain(await question(session, options), session.call);
        print(session, explanations);
      }),
    );
}

async function question(session: ServerSession, options: WhyOptions) {
  const { agent, pid, recent, selectors } = options;
  const agentId = agent === undefined ? {} : { agentId: parseIdOption("--agent", agent) };
  if (recent) return { ...agentId, recent: true };
  if (selectors && agent) {
    const parsed = selectors.map((text) => parseSelectorOption("--selectors", text));
    return { ...agentId, selectors: parsed };
  }
  if (pid !== undefined && agent) return { ...agentId, pid: parsePid(pid) };
  if (pid !== undefined) return askLocalAgent(session, parsePid(pid), options.agentSocket);
  throw usageError("expected --pid, --recent, or --agent with --selectors or --pid");
}

/** The agent of this node tells what it finds about the process; the server then compares. */
async function askLocalAgent(session: ServerSession, pid: number, socket: string) {
  await using channel = openSocketChannel(socket);
  const found = await channel.client(AgentAdmin).explainProcess({ pid }, session.call);
  for (const { type, prefixes, reason } of found.undecided) {
    const what = prefixes.length > 0 ? prefixes.map((p) => `${type}:${p}`).join(", ") : type;
    session.io.writeError(`undecided: ${what} (${reason})\n`);
  }
  return { agentId: parseIdOption("the agent's id", found.agentId), selectors: found.selectors };
}

function parsePid(text: string): number {
  const pid = Number(text);
  if (!Number.isInteger(pid) || pid <= 0) throw usageError("--pid: expected a process ID");
  return pid;
}

function print(session: ServerSession, explanations: readonly Explanation[]): void {
  const rows = explanations.map(rowOf);
  if (session.output !== "table") {
    session.io.write(formatRows(rows, [], session.output));
    return;
  }
  if (rows.length === 0) session.io.write("no refusals\n");
  for (const explanation of explanations) session.io.write(textOf(explanation));
}

function rowOf(explanation: Explanation): Row {
  return {
    cause: explanation.cause,
    summary: explanation.summary,
    agent_id: explanation.agentId,
    selectors: explanation.selectors.map(selectorText),
    pid: explanation.refusal?.pid,
    uid: explanation.refusal?.uid,
    delegate_id: explanation.refusal?.delegateId || undefined,
    at: explanation.refusal ? new Date(Number(explanation.refusal.timeMs)) : undefined,
    candidates: explanation.candidates.map((candidate) => ({
      entry_id: candidate.entry?.id,
      spiffe_id: idText(candidate.entry?.spiffeId),
      cause: candidate.cause,
      missing: candidate.missing.map(selectorText),
      detail: candidate.detail,
    })),
  };
}

function textOf({ cause, summary, agentId, selectors, candidates, refusal }: Explanation): string {
  const process = refusal ? ` pid ${refusal.pid} (uid ${refusal.uid})` : "";
  const lines = [
    `${cause}:${process} ${summary}`,
    `  agent:     ${agentId}`,
    ...(refusal?.delegateId ? [`  called by: ${refusal.delegateId}`] : []),
    `  selectors: ${selectors.map(selectorText).join(" ") || "-"}`,
    ...candidates.map(({ entry, cause: why, missing, detail }) => {
      const lacks = missing.map(selectorText).join(" ");
      return `  nearest:   ${idText(entry?.spiffeId)} (entry ${entry?.id}): ${why}${lacks && `, missing ${lacks}`}${detail && `, ${detail}`}`;
    }),
  ];
  return `${lines.join("\n")}\n`;
}
