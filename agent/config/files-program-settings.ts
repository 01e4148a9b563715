import * as z from "zod";
import { durationSchema } from "../../runtime/config/duration.ts";

/** Signals that a program may be sent. */
export const SIGNALS = [
  "SIGHUP",
  "SIGINT",
  "SIGQUIT",
  "SIGUSR1",
  "SIGUSR2",
  "SIGTERM",
  "SIGWINCH",
  "SIGCONT",
] as const;

/** One of {@link SIGNALS}. */
export type SignalName = (typeof SIGNALS)[number];

/** How a program is told of new files. */
export type ReloadSettings =
  | {
      readonly type: "pidFile";
      readonly path: string;
      readonly signal: SignalName;
    }
  | {
      readonly type: "processName";
      readonly process: string;
      readonly signal: SignalName;
    }
  | {
      readonly type: "command";
      readonly run: readonly string[];
      /** Milliseconds. */
      readonly timeout: number;
    };

/** When a command that has ended is started again. */
export const RESTARTS = ["never", "on-failure", "always", "on-renewal"] as const;

/** A command that this process looks after. */
export interface CommandSettings {
  readonly run: readonly string[];
  readonly reloadSignal?: SignalName | undefined;
  readonly restart: (typeof RESTARTS)[number];
  readonly stopSignal: SignalName;
  /** Milliseconds. */
  readonly grace: number;
}

/** The process gives itself 30 seconds to end. */
const MAX_GRACE_MS = 25_000;

const words = z
  .array(z.string().max(8192))
  .min(1)
  .max(256)
  .refine(([file]) => file !== "", "expected a program first")
  .meta({ title: "list of string" });

const signal = z.enum(SIGNALS);

/** Decodes {@link ReloadSettings}. */
export const reloadSchema: z.ZodType<ReloadSettings> = z.discriminatedUnion("type", [
  z.strictObject({
    type: z.literal("pidFile").describe("Signal the process whose number is in a file."),
    path: z
      .string()
      .min(1)
      .describe("The file, read each time. Its owner has to be root, or the user of the process."),
    signal: signal.default("SIGHUP").describe("The signal."),
  }),
  z.strictObject({
    type: z.literal("processName").describe("Signal processes by name."),
    process: z
      .string()
      .regex(/^[^/\0]{1,255}$/, "expected a name without a path")
      .describe(
        "Name of the program's file. Of those with that name the ones whose parent has another name get the signal: the main processes.",
      ),
    signal: signal.default("SIGHUP").describe("The signal."),
  }),
  z.strictObject({
    type: z.literal("command").describe("Run a command; exit code 0 means done."),
    run: words.describe("Program and arguments; no shell reads them."),
    timeout: durationSchema.prefault("30s").describe("It is killed after this time."),
  }),
]);

/** Decodes {@link CommandSettings}. */
export const commandSchema: z.ZodType<CommandSettings> = z.strictObject({
  run: words.describe("Program and arguments; no shell reads them."),
  reloadSignal: signal
    .optional()
    .describe("What it is sent after files have changed; nothing unless given."),
  restart: z
    .enum(RESTARTS)
    .default("never")
    .describe(
      "When it is started again after it ended. With never this process ends too, with the same exit code; on-renewal waits for the next change of the files.",
    ),
  stopSignal: signal.default("SIGTERM").describe("How it is asked to end."),
  grace: durationSchema
    .prefault("10s")
    .refine((ms) => ms <= MAX_GRACE_MS, "expected at most 25s")
    .describe("How long it may take to end before it is killed with all that it started."),
});
