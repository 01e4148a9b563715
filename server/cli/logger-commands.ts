/** `assay logger get|set|reset`: how much the server logs. */
import { Argument, type Command } from "commander";
import { Logger as LoggerService } from "../../proto/gen/spire/api/server/logger/v1/logger_pb.ts";
import { type Logger, LogLevel } from "../../proto/gen/spire/api/types/logger_pb.ts";
import type { CliIo } from "../../runtime/cli/cli-io.ts";
import type { Row } from "../../runtime/cli/output.ts";
import { runWithServer, type ServerOptions, withServerOptions } from "./server-cli.ts";

const levels = {
  error: LogLevel.ERROR,
  warn: LogLevel.WARN,
  info: LogLevel.INFO,
  debug: LogLevel.DEBUG,
} as const;

export function addLoggerCommands(program: Command, io: CliIo): void {
  const logger = program.command("logger").description("How much the server logs.");

  withServerOptions(logger.command("get"))
    .description("Show the log level.")
    .addHelpText("after", "\nExample:\n  assay logger get")
    .action((options: ServerOptions) =>
      runWithServer(io, options, async (session) => {
        session.printOne(rowOf(await session.client(LoggerService).getLogger({}, session.call)));
      }),
    );

  withServerOptions(logger.command("set"))
    .description("Change the log level until the next start.")
    .addArgument(new Argument("<level>").choices(Object.keys(levels)))
    .addHelpText("after", "\nExample:\n  assay logger set debug")
    .action((level: keyof typeof levels, options: ServerOptions) =>
      runWithServer(io, options, async (session) => {
        const newLevel = levels[level];
        session.printOne(
          rowOf(await session.client(LoggerService).setLogLevel({ newLevel }, session.call)),
        );
      }),
    );

  withServerOptions(logger.command("reset"))
    .description("Go back to the level of the configuration.")
    .addHelpText("after", "\nExample:\n  assay logger reset")
    .action((options: ServerOptions) =>
      runWithServer(io, options, async (session) => {
        session.printOne(
          rowOf(await session.client(LoggerService).resetLogLevel({}, session.call)),
        );
      }),
    );
}

function rowOf({ currentLevel, launchLevel }: Logger): Row {
  return {
    level: nameOf(currentLevel),
    launch_level: nameOf(launchLevel),
  };
}

function nameOf(level: LogLevel): string | undefined {
  return Object.keys(levels).find((name) => levels[name as keyof typeof levels] === level);
}
