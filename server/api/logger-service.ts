/** The public logger API: the log level of the running server. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import { Logger as LoggerApi } from "../../proto/gen/spire/api/server/logger/v1/logger_pb.ts";
import {
  type LoggerSchema,
  LogLevel as WireLevel,
} from "../../proto/gen/spire/api/types/logger_pb.ts";
import { invalidArgument } from "../../runtime/errors/status-error.ts";
import type { Logger, LogLevel } from "../../runtime/log.ts";
import { type Registration, service } from "../../runtime/rpc/service.ts";
import type { Caller } from "./caller.ts";

type Answer = MessageInitShape<typeof LoggerSchema>;

/** Our levels for theirs; what we do not have takes the nearest. */
const levels: Readonly<Record<Exclude<WireLevel, 0>, LogLevel>> = {
  [WireLevel.PANIC]: "error",
  [WireLevel.FATAL]: "error",
  [WireLevel.ERROR]: "error",
  [WireLevel.WARN]: "warn",
  [WireLevel.INFO]: "info",
  [WireLevel.DEBUG]: "debug",
  [WireLevel.TRACE]: "debug",
};

const wireLevels: Readonly<Record<string, WireLevel>> = {
  error: WireLevel.ERROR,
  warn: WireLevel.WARN,
  info: WireLevel.INFO,
  debug: WireLevel.DEBUG,
};

/** @param launchLevel the level of the configuration, at the moment of the call */
export function loggerService(log: Logger, launchLevel: () => LogLevel): Registration<Caller> {
  const answer = (): Answer => ({
    currentLevel: wireLevels[log.level] ?? WireLevel.UNSPECIFIED,
    launchLevel: wireLevels[launchLevel()] ?? WireLevel.UNSPECIFIED,
  });
  return service<typeof LoggerApi, Caller>(LoggerApi, {
    getLogger: async () => answer(),
    setLogLevel: async ({ newLevel }) => {
      if (newLevel === WireLevel.UNSPECIFIED) {
        throw invalidArgument("new_level: must be a known level");
      }
      log.level = levels[newLevel] ?? "info";
      return answer();
    },
    resetLogLevel: async () => {
      log.level = launchLevel();
      return answer();
    },
  });
}
