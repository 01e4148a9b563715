import * as z from "zod";
import { durationSchema } from "../../runtime/config/duration.ts";
import { checkFilesRelations } from "./files-checks.ts";
import { accountSchema, type FileSettings, fileSchema } from "./files-file-settings.ts";
import {
  type CommandSettings,
  commandSchema,
  type ReloadSettings,
  reloadSchema,
} from "./files-program-settings.ts";
import {
  type LogSettings,
  logSchema,
  type ObservabilitySettings,
  observabilityFields,
} from "./serving-settings.ts";

/** The listener, with paths that probes may have been written for. */
export interface FilesObservabilitySettings extends ObservabilitySettings {
  readonly livePath: string;
  readonly readyPath: string;
}

/** The whole configuration of `assay files run`: defaults filled in, durations in milliseconds. */
export interface FilesConfig {
  readonly address?: string | undefined;
  readonly identity: { readonly spiffeId?: string | undefined; readonly hint?: string | undefined };
  readonly directory: string;
  readonly layout: "swap" | "plain";
  readonly owner?: string | undefined;
  readonly group?: string | undefined;
  readonly files: readonly FileSettings[];
  readonly withdrawal: { readonly action: "keep" | "remove"; readonly after: number };
  readonly reload: readonly ReloadSettings[];
  readonly command?: CommandSettings | undefined;
  readonly once: boolean;
  readonly observability: FilesObservabilitySettings;
  readonly log: LogSettings;
}

const httpPath = z.string().regex(/^\/[A-Za-z0-9._/-]{1,200}$/, 'expected a path such as "/live"');

const identitySchema = z
  .strictObject({
    spiffeId: z.string().min(1).max(2048).optional().describe("The one with this SPIFFE ID."),
    hint: z.string().min(1).max(1024).optional().describe("The one whose entry has this hint."),
  })
  .prefault({})
  .describe("Which of several identities. Without it: the default one, which is the first.");

const withdrawalSchema = z
  .strictObject({
    action: z
      .enum(["keep", "remove"])
      .default("keep")
      .describe(
        "Whether the files stay, where they end by themselves with the SVID's lifetime, or are removed.",
      ),
    after: durationSchema
      .prefault("30s")
      .describe(
        "How long the identity has to be gone before files are removed. An agent that starts may have none for a moment.",
      ),
  })
  .prefault({})
  .describe("What happens when the identity is granted no longer.");

const observabilitySchema: z.ZodPrefault<z.ZodType<FilesObservabilitySettings>> = z
  .strictObject({
    ...observabilityFields(8085),
    livePath: httpPath.default("/live").describe("Another path for /live, which stays."),
    readyPath: httpPath.default("/ready").describe("Another path for /ready, which stays."),
  })
  .prefault({})
  .describe("HTTP listener for /live, /ready and /metrics. There is none with `once`.");

/** Decodes {@link FilesConfig}, and describes each key for the reference. */
export const filesConfigSchema: z.ZodType<FilesConfig> = z
  .strictObject({
    address: z
      .string()
      .min(1)
      .optional()
      .describe(
        "The Workload API, such as unix:///run/assay/agent/api.sock. Without it: SPIFFE_ENDPOINT_SOCKET of the environment.",
      ),
    identity: identitySchema,
    directory: z
      .string()
      .min(1)
      .max(1024)
      .describe(
        "Folder of the files, made if it is not there. It has to belong to root, to the user of this process or to `owner`. On a tmpfs keys never reach a disk.",
      ),
    layout: z
      .enum(["swap", "plain"])
      .default("swap")
      .describe(
        "With swap the names are links into one folder that is exchanged as a whole, so all change at the same instant. With plain they are ordinary files, replaced one after the other.",
      ),
    owner: accountSchema
      .optional()
      .describe("User who owns the files, by name or number. Without it: the one of this process."),
    group: accountSchema.optional().describe("Group of the files, by name or number."),
    files: z.array(fileSchema).min(1).max(64).describe("The files."),
    withdrawal: withdrawalSchema,
    reload: z
      .array(reloadSchema)
      .max(8)
      .default([])
      .describe(
        "What is done after files have changed; nothing, for programs that look themselves.",
      ),
    command: commandSchema
      .optional()
      .describe("A program that is started once the files are there, and ended with this one."),
    once: z
      .boolean()
      .default(false)
      .describe("Write the files once and end, as an init container does. Same as --once."),
    observability: observabilitySchema,
    log: logSchema,
  })
  .check((context) => {
    for (const { path, message } of checkFilesRelations(context.value)) {
      context.issues.push({ code: "custom", input: context.value, path: [...path], message });
    }
  });
