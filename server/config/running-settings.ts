import * as z from "zod";
import { durationSchema } from "../../runtime/config/duration.ts";
import { sizeSchema } from "../../runtime/config/size.ts";
import { LOG_LEVELS, type LogLevel } from "../../runtime/log.ts";

/** What is logged. */
export interface LogSettings {
  readonly level: LogLevel;
  readonly format: "json" | "text";
}

/** The audit log. Durations in milliseconds, sizes in bytes. */
export interface AuditSettings {
  readonly directory?: string | undefined;
  readonly maxSegmentBytes: number;
  readonly keepFor: number;
  readonly export?: string | undefined;
}

/** What holds for agents. Durations in milliseconds. */
export interface AgentsSettings {
  readonly renewGrace: number;
  readonly purgeExpiredAfter: number;
  readonly heartbeat: number;
}

/** What holds for entries. */
export interface EntriesSettings {
  readonly require: {
    readonly fields: readonly ("owner" | "purpose")[];
    readonly mode: "warn" | "refuse";
  };
}

/** See {@link LogSettings}. */
export const logSchema: z.ZodPrefault<z.ZodType<LogSettings>> = z
  .strictObject({
    level: z.enum(LOG_LEVELS).default("info").describe("How much is logged."),
    format: z.enum(["json", "text"]).default("json").describe("One JSON object a line, or text."),
  })
  .prefault({})
  .describe("The log, written to standard error.");

/** See {@link AuditSettings}. */
export const auditSchema: z.ZodPrefault<z.ZodType<AuditSettings>> = z
  .strictObject({
    directory: z
      .string()
      .min(1)
      .optional()
      .describe("Folder of the audit log. Without it: audit, in the data folder."),
    maxSegmentBytes: sizeSchema.prefault("64MiB").describe("A file is closed at this size."),
    keepFor: durationSchema
      .prefault("365d")
      .describe("A closed file is removed when its last record is this old."),
    export: z
      .string()
      .min(1)
      .optional()
      .describe(
        'File to copy each record to as a line of JSON, or "stdout". Nothing is removed that was not copied.',
      ),
  })
  .prefault({})
  .describe("The record of everything issued, refused and changed. It cannot be switched off.");

/** See {@link AgentsSettings}. */
export const agentsSchema: z.ZodPrefault<z.ZodType<AgentsSettings>> = z
  .strictObject({
    renewGrace: durationSchema
      .prefault("24h")
      .describe("How long after its end an agent's SVID may still be renewed with the same key."),
    purgeExpiredAfter: durationSchema
      .prefault("30d")
      .describe("When the record of an agent that stays away is removed; banned ones stay."),
    heartbeat: durationSchema
      .prefault("30s")
      .describe(
        "How often server and agent tell each other that they are there; up to 8 minutes when there are many agents.",
      ),
  })
  .prefault({})
  .describe("What holds for agents.");

/** See {@link EntriesSettings}. */
export const entriesSchema: z.ZodPrefault<z.ZodType<EntriesSettings>> = z
  .strictObject({
    require: z
      .strictObject({
        fields: z
          .array(z.enum(["owner", "purpose"]))
          .default([])
          .describe("What every new or changed entry must say about itself."),
        mode: z
          .enum(["warn", "refuse"])
          .default("warn")
          .describe("Whether an entry without them is refused, or only warned about."),
      })
      .prefault({})
      .describe("What entries must say about themselves."),
  })
  .prefault({})
  .describe("What holds for entries.");
