/**
 * The command `assay`: puts together the commands that live beside what they talk to. Each group is
 * loaded when it is asked for, so that `assay x509 fetch` does not pay for a server.
 */
import { Command, CommanderError } from "commander";
import type { CliIo } from "./runtime/cli/cli-io.ts";
import { EndedWith, ExitCode } from "./runtime/cli/exit-code.ts";
import { processIo } from "./runtime/cli/process-io.ts";
import { reportFailure } from "./runtime/cli/report-failure.ts";
import { systemRandom as random } from "./runtime/random.ts";
import { systemClock as clock } from "./runtime/time/clock.ts";
import { VERSION } from "./runtime/version.ts";

/** Adds a group's commands to the program. */
type Group = (program: Command, io: CliIo) => Promise<void>;

const groups: Readonly<Record<string, { description: string; add: Group }>> = {
  server: {
    description: "The signing server.",
    add: async (program, io) => {
      const server = program.command("server");
      (await import("./server/cli/run.ts")).addServerRunCommands(server, io);
      (await import("./server/cli/server-commands.ts")).addServerAdminCommands(server, io);
    },
  },
  agent: {
    description: "The node agent, and the agents that a server knows.",
    add: async (program, io) => {
      const agent = program.command("agent");
      (await import("./agent/cli/run.ts")).addAgentRunCommands(agent, io);
      (await import("./agent/cli/agent-admin-commands.ts")).addAgentAdminCommands(agent, io);
      (await import("./server/cli/agent-commands.ts")).addAgentCommands(agent, io, clock);
    },
  },
  csi: {
    description: "The workload socket in pods: holder and CSI driver.",
    add: async (program, io) =>
      (await import("./agent/cli/csi-commands.ts")).addCsiCommands(program, io),
  },
  entry: {
    description: "Registration entries: which workload gets which identity.",
    add: async (program, io) =>
      (await import("./server/cli/entry-commands.ts")).addEntryCommands(program, io, clock),
  },
  token: {
    description: "Join tokens for agents.",
    add: async (program, io) =>
      (await import("./server/cli/token-commands.ts")).addTokenCommands(program, io),
  },
  cluster: {
    description: "Kubernetes clusters of the server.",
    add: async (program, io) =>
      (await import("./server/cli/cluster-commands.ts")).addClusterCommands(program, io),
  },
  registrar: {
    description: "Entries from custom resources of Kubernetes clusters.",
    add: async (program, io) =>
      (await import("./server/cli/registrar-commands.ts")).addRegistrarCommands(program, io),
  },
  bundle: {
    description: "Trust bundles.",
    add: async (program, io) =>
      (await import("./server/cli/bundle-commands.ts")).addBundleCommands(program, io),
  },
  federation: {
    description: "Trust in foreign trust domains, and what for.",
    add: async (program, io) =>
      (await import("./server/cli/federation-commands.ts")).addFederationCommands(program, io),
  },
  x509: {
    description: "X509-SVIDs: fetch, watch, mint.",
    add: async (program, io) => {
      const x509 = program.command("x509");
      (await import("./agent/cli/x509-commands.ts")).addX509WorkloadCommands(x509, io, {
        clock,
        random,
      });
      (await import("./server/cli/mint-commands.ts")).addX509MintCommand(x509, io);
    },
  },
  jwt: {
    description: "JWT-SVIDs: fetch, validate, mint.",
    add: async (program, io) => {
      const jwt = program.command("jwt");
      (await import("./agent/cli/jwt-commands.ts")).addJwtWorkloadCommands(jwt, io);
      (await import("./server/cli/mint-commands.ts")).addJwtMintCommand(jwt, io);
    },
  },
  wit: {
    description: "WIT-SVIDs (experimental): fetch, validate, mint.",
    add: async (program, io) => {
      const wit = program.command("wit");
      (await import("./agent/cli/wit-commands.ts")).addWitWorkloadCommands(wit, io, clock);
      (await import("./server/cli/mint-commands.ts")).addWitMintCommand(wit, io);
    },
  },
  files: {
    description: "Identities as files, for programs that read those.",
    add: async (program, io) =>
      (await import("./agent/cli/files-commands.ts")).addFilesCommands(program, io, {
        clock,
        random,
      }),
  },
  cloud: {
    description: "Clouds: what they are to trust, and their credentials for a JWT-SVID.",
    add: async (program, io) =>
      (await import("./server/cli/cloud/cloud-commands.ts")).addCloudCommands(program, io, clock),
  },
  oidc: {
    description: "OIDC discovery, for verifiers that know nothing of SPIFFE.",
    add: async (program, io) =>
      (await import("./server/cli/oidc-commands.ts")).addOidcCommands(program, io),
  },
  why: {
    description: "Why a process has no identity.",
    add: async (program, io) =>
      (await import("./server/cli/why-command.ts")).addWhyCommand(program, io),
  },
  audit: {
    description: "The audit log.",
    add: async (program, io) =>
      (await import("./server/cli/audit-commands.ts")).addAuditCommands(program, io),
  },
  authority: {
    description: "The trust domain's signing keys.",
    add: async (program, io) =>
      (await import("./server/cli/authority-commands.ts")).addAuthorityCommands(program, io),
  },
  access: {
    description: "Who may do what.",
    add: async (program, io) =>
      (await import("./server/cli/access-commands.ts")).addAccessCommands(program, io),
  },
  logger: {
    description: "How much the server logs.",
    add: async (program, io) =>
      (await import("./server/cli/logger-commands.ts")).addLoggerCommands(program, io),
  },
};

/** Runs one command line. Returns the exit code, one of {@link ExitCode} or that of a program it looked after; never throws. */
export async function runAssay(args: readonly string[], io: CliIo): Promise<number> {
  const program = emptyProgram(io);
  try {
    await addGroups(program, io, args[0]);
    await program.parseAsync(args, { from: "user" });
    return ExitCode.ok;
  } catch (err) {
    if (err instanceof EndedWith) return err.code;
    if (err instanceof CommanderError) return err.exitCode === 0 ? ExitCode.ok : ExitCode.usage;
    return reportFailure(io, err);
  }
}

/** The program with every command of every group, for whoever describes it. */
export async function wholeProgram(io: CliIo): Promise<Command> {
  const program = emptyProgram(io);
  await addGroups(program, io, "completion");
  return program;
}

function emptyProgram(io: CliIo): Command {
  return new Command("assay")
    .description("SPIFFE workload identity for Kubernetes and Linux.")
    .version(VERSION)
    .exitOverride()
    .configureOutput({
      writeOut: (text) => io.write(text),
      writeErr: (text) => io.writeError(text),
    })
    .addHelpText(
      "after",
      "\nExit codes: 0 done, 1 failed, 2 usage, 3 not found, 4 refused, 5 unavailable, 6 conflict, 7 partly done.",
    );
}

/** Loads the group that is asked for; of the others only the description is needed. */
async function addGroups(program: Command, io: CliIo, asked: string | undefined): Promise<void> {
  for (const [name, { description, add }] of Object.entries(groups)) {
    if (name !== asked && asked !== "completion") {
      program.command(name).description(description);
      continue;
    }
    await add(program, io);
    const group = program.commands.find((command) => command.name() === name);
    if (group && !group.description()) group.description(description);
  }
  const { addCompletionCommand } = await import("./runtime/cli/completion.ts");
  addCompletionCommand(program, io);
}

// Under the pinned Node the launcher imports this file instead of starting another process.
if (import.meta.main || process.argv[1] === import.meta.filename) {
  process.exitCode = await runAssay(
    process.argv.slice(2),
    processIo((code) => process.exit(code)),
  );
}
