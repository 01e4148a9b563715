/** `assay cloud`: what clouds are to trust, and their credentials for a JWT-SVID. */
import type { Command } from "commander";
import type { CliIo } from "../../../runtime/cli/cli-io.ts";
import type { Clock } from "../../../runtime/time/clock.ts";
import { addAwsCommands } from "./aws-commands.ts";
import { addAzureCommands } from "./azure-commands.ts";
import { addGcpCommands } from "./gcp-commands.ts";

export function addCloudCommands(program: Command, io: CliIo, clock: Clock): void {
  const cloud = program.command("cloud");
  addAwsCommands(cloud, io, clock);
  addGcpCommands(cloud, io, clock);
  addAzureCommands(cloud, io, clock);
}
